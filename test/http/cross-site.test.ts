import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CrossSiteRequest, requireSameOrigin } from '../../src/http/same-origin.ts';
import { useGateway } from '../harness.ts';

const PORTAL = 'https://portal.example';
const gateway = useGateway({ env: { CORS_ORIGINS: `${PORTAL},https://second.example:8443` } });

const rename = 'mutation { createApiToken(input: {name: "x", scopes: [USER_READ]}) { __typename } }';

/** A mutation with the cookie of a signed-in user. */
async function mutate(headers: Record<string, string>): Promise<number> {
  const { token } = await gateway.user();
  const response = await gateway.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie: `gatehouse_session=${token}`, ...headers },
    body: JSON.stringify({ query: rename }),
  });
  return response.status;
}

describe('a change by cookie alone', () => {
  it.each([
    ['from a page of ours', { 'sec-fetch-site': 'same-origin' }],
    ['with our own origin', { origin: 'http://gatehouse.test' }],
    ['with an origin of CORS_ORIGINS', { origin: PORTAL, 'sec-fetch-site': 'same-site' }],
  ])('is taken %s', async (_what, headers) => expect(await mutate(headers)).toBe(200));

  it.each<[string, Record<string, string>]>([
    ['from another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    [
      'from another host of our domain',
      { origin: 'http://other.gatehouse.test', 'sec-fetch-site': 'same-site' },
    ],
    ['from another port', { origin: 'http://gatehouse.test:81' }],
    ['over another scheme', { origin: 'https://gatehouse.test' }],
    ['from a sandboxed frame', { origin: 'null' }],
    ['from a listed host at another port', { origin: 'https://second.example' }],
    ['from an origin that begins like a listed one', { origin: `${PORTAL}.evil.example` }],
    ['from nowhere', {}],
  ])('is refused %s', async (_what, headers) => expect(await mutate(headers)).toBe(403));

  it('is refused whichever of the cookies carries the token', async () => {
    const { token } = await gateway.user();
    for (const name of ['gatehouse_session', 'coder_session_token']) {
      const response = await gateway.fetch('/api/v2/external-auth/github', {
        method: 'DELETE',
        headers: { cookie: `${name}=${token}`, 'coder-session-token': '' },
      });
      expect(response.status, name).toBe(403);
    }
  });

  it("is nobody else's concern: a token in a header is taken from anywhere", async () => {
    const { token } = await gateway.user();
    expect(await mutate({ authorization: `Bearer ${token}`, origin: 'https://evil.example' })).toBe(200);
  });

  it('may read without saying where it comes from', async () => {
    const { token } = await gateway.user();
    const query = `?query=${encodeURIComponent('{ viewer { username } }')}`;
    const headers = { cookie: `gatehouse_session=${token}`, accept: 'application/json' };
    expect((await gateway.fetch(`/graphql${query}`, { headers })).status).toBe(200);
    // And what is asked for that way changes nothing.
    const change = `?query=${encodeURIComponent(rename)}`;
    expect((await gateway.fetch(`/graphql${change}`, { headers })).status).toBe(405);
  });
});

describe('requireSameOrigin', () => {
  it('takes no origin but the listed ones, whatever it looks like', () => {
    const { config } = gateway.runtime;
    const allowed = [config.http.publicUrl, ...config.http.corsOrigins];
    const similar = fc
      .tuple(fc.constantFrom(...allowed), fc.string({ unit: 'grapheme-ascii', maxLength: 5 }), fc.nat(30))
      .map(([origin, text, at]) => origin.slice(0, at) + text + origin.slice(at));
    fc.assert(
      fc.property(fc.oneof(similar, fc.webUrl(), fc.constantFrom(...allowed)), (origin) => {
        fc.pre(/^[\x21-\x7e]*$/.test(origin));
        const request = new Request('http://gatehouse.test/graphql', { method: 'POST', headers: { origin } });
        const take = () => requireSameOrigin(request, config);
        if (allowed.includes(origin)) expect(take).not.toThrow();
        else expect(take).toThrow(CrossSiteRequest);
      }),
    );
  });
});

describe('CORS', () => {
  const preflight = (origin: string) =>
    gateway.fetch('/graphql', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });

  it('lets a listed origin ask and read, and browsers keep the permission', async () => {
    const asked = await preflight(PORTAL);
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': PORTAL,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST, PUT, DELETE',
      'access-control-allow-headers': expect.stringContaining('Authorization'),
      'access-control-max-age': '7200',
      vary: 'Origin',
    });
    const read = await gateway.fetch('/openapi.json', { headers: { origin: PORTAL } });
    expect(Object.fromEntries(read.headers)).toMatchObject({
      'access-control-allow-origin': PORTAL,
      'access-control-expose-headers': expect.stringContaining('X-Request-Id'),
      vary: expect.stringContaining('Origin'),
    });
  });

  it.each(['https://evil.example', 'null', 'https://portal.example.evil', 'http://portal.example'])(
    'tells %s nothing',
    async (origin) => {
      for (const response of [
        await preflight(origin),
        await gateway.fetch('/graphql?query={__typename}', {
          headers: { origin, accept: 'application/json' },
        }),
      ]) {
        const names = [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));
        expect(names).toEqual([]);
        expect(response.headers.get('vary')).toContain('Origin');
      }
    },
  );
});
