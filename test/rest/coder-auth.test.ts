import { describe, expect, it } from 'vitest';
import { allScopes, grants, type Scope } from '../../src/auth/scopes.ts';
import { useGateway } from '../harness.ts';
import { askCoder } from './coder-client.ts';

const gateway = useGateway({
  env: {
    EXTERNAL_AUTH_0_ID: 'forge',
    EXTERNAL_AUTH_0_TYPE: 'generic',
    EXTERNAL_AUTH_0_CLIENT_ID: 'gatehouse',
    EXTERNAL_AUTH_0_CLIENT_SECRET: 'not-used-here',
    EXTERNAL_AUTH_0_AUTH_URL: 'https://forge.test/authorize',
    EXTERNAL_AUTH_0_TOKEN_URL: 'https://forge.test/token',
  },
});

/** Every request of the dialect, with what it needs to get past the check of its shape. */
const REQUESTS: { request: string; json?: unknown; scope: Scope }[] = [
  { request: 'GET /external-auth', scope: 'external_auth:read' },
  { request: 'GET /external-auth/forge', scope: 'external_auth:read' },
  { request: 'DELETE /external-auth/forge', scope: 'external_auth:write' },
  { request: 'GET /external-auth/forge/device', scope: 'external_auth:write' },
  { request: 'POST /external-auth/forge/device', scope: 'external_auth:write' },
  { request: 'POST /external-auth/forge/device', json: { device_code: 'abc' }, scope: 'external_auth:write' },
  { request: 'GET /workspaceagents/me/external-auth?id=forge', scope: 'external_auth:token' },
];

/** With a name for each, since `it.each` quotes what it takes from an object. */
const CASES = REQUESTS.map(
  (each) => [each.json ? `${each.request} with a body` : each.request, each] as const,
);

const SIGNED_OUT = 'You are signed out or your session has expired. Please sign in again to continue.';

describe('the token', () => {
  it.each([
    ['in Coder-Session-Token', (token: string) => ({ 'coder-session-token': token })],
    ['as Authorization: Bearer', (token: string) => ({ authorization: `Bearer ${token}` })],
    ['in the cookie coder_session_token', (token: string) => ({ cookie: `coder_session_token=${token}` })],
    [
      'in the cookie, beside the empty header that the Go client sends',
      (token: string) => ({ 'coder-session-token': '', cookie: `coder_session_token=${token}` }),
    ],
    [
      'as Authorization: Bearer, beside the empty header',
      (token: string) => ({ 'coder-session-token': '', authorization: `Bearer ${token}` }),
    ],
  ])('is taken %s', async (_where, headersOf) => {
    const { token } = await gateway.user();
    const { status } = await askCoder(gateway, 'GET /external-auth', { headers: headersOf(token) });
    expect(status).toBe(200);
  });

  // What a client sends on purpose goes before what its browser adds by itself.
  it.each([
    ['Authorization before Coder-Session-Token', 'authorization', 'coder-session-token'],
    ['Authorization before the cookie', 'authorization', 'cookie'],
    ['Coder-Session-Token before the cookie', 'coder-session-token', 'cookie'],
  ] as const)('is looked for in this order: %s', async (_order, first, second) => {
    const { token } = await gateway.user();
    const carry = {
      authorization: (value: string) => `Bearer ${value}`,
      'coder-session-token': (value: string) => value,
      cookie: (value: string) => `coder_session_token=${value}`,
    };
    const ask = (headers: Record<string, string>) => askCoder(gateway, 'GET /external-auth', { headers });
    const right = await ask({ [first]: carry[first](token), [second]: carry[second]('wrong') });
    const wrong = await ask({ [first]: carry[first]('wrong'), [second]: carry[second](token) });
    expect([right.status, wrong.status]).toEqual([200, 401]);
  });

  it('is not taken from the query, where it would be logged', async () => {
    const { token } = await gateway.user();
    const { status } = await askCoder(gateway, `GET /external-auth?coder_session_token=${token}`);
    expect(status).toBe(401);
  });

  it('in the query does not disturb one in a header', async () => {
    const { token } = await gateway.user();
    const { status } = await askCoder(gateway, 'GET /external-auth?coder_session_token=x', { token });
    expect(status).toBe(200);
  });
});

describe('401', () => {
  it.each(CASES)('answers %s without a token', async (_name, { request, json }) => {
    const { status, body, headers } = await askCoder(gateway, request, { json });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(body).toEqual({ message: SIGNED_OUT, detail: expect.stringContaining('Coder-Session-Token') });
  });

  it.each([
    ['unknown', 'no-such-token'],
    ['of our form, but unknown', `gth_${'a'.repeat(49)}`],
  ])('answers a token that is %s', async (_what, token) => {
    const { status, body, headers } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(body).toEqual({ message: SIGNED_OUT, detail: 'The token is unknown, expired or revoked.' });
  });

  it('goes before 404: who is not signed in learns nothing of the providers', async () => {
    const known = await askCoder(gateway, 'GET /external-auth/forge');
    const unknown = await askCoder(gateway, 'GET /external-auth/nowhere');
    expect([known.status, unknown.status]).toEqual([401, 401]);
    expect(unknown.body).toEqual(known.body);
  });

  it('goes before 400 and 415: a body is not read for who is not signed in', async () => {
    for (const headers of [{ 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
      const { status } = await askCoder(gateway, 'POST /external-auth/forge/device', { body: '{', headers });
      expect(status).toBe(401);
    }
  });
});

describe('403', () => {
  it.each(CASES)('answers %s of a token without its scope', async (_name, { request, json, scope }) => {
    // All scopes but those that grant it.
    const { token } = await gateway.user(allScopes.filter((held) => !grants(new Set([held]), scope)));
    const { status, body } = await askCoder(gateway, request, { token, json });
    expect(status).toBe(403);
    expect(body).toEqual({ message: expect.stringContaining('scope') });
  });

  it.each(CASES)(
    'does not answer %s of a token with no other scope',
    async (_name, { request, json, scope }) => {
      const { token } = await gateway.user([scope]);
      const { status } = await askCoder(gateway, request, { token, json });
      expect([200, 400, 404]).toContain(status);
    },
  );
});
