import { describe, expect, it } from 'vitest';
import type { Scope } from '../../src/auth/scopes.ts';
import { expectNothingStored } from '../database-dump.ts';
import { useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { askGitflic, newApp } from './gitflic-client.ts';

const gateway = useGateway();
const HOUR = 3_600_000;
const SOME_ID = '7f8933c7-2c4e-4b1a-9a55-dbc99a7cd104';

/** Every request of the dialect, and what it answers to a token that may do it. */
const REQUESTS: { request: string; json?: () => object; scope: Scope; status: number }[] = [
  { request: 'GET /user/me', scope: 'user:read', status: 200 },
  {
    request: 'POST /user/settings/add-ssh-key',
    json: () => ({ publicKey: newPublicKey(), title: 'Laptop' }),
    scope: 'ssh_keys:write',
    status: 200,
  },
  { request: 'GET /user/settings/oauth', scope: 'oauth_apps:read', status: 200 },
  { request: `GET /user/settings/oauth/${SOME_ID}`, scope: 'oauth_apps:read', status: 404 },
  { request: 'POST /user/settings/oauth', json: () => newApp, scope: 'oauth_apps:write', status: 200 },
  {
    request: `PUT /user/settings/oauth/${SOME_ID}`,
    json: () => newApp,
    scope: 'oauth_apps:write',
    status: 404,
  },
  { request: `DELETE /user/settings/oauth/${SOME_ID}`, scope: 'oauth_apps:write', status: 404 },
];

describe.each(REQUESTS)('$request', ({ request, json, scope, status }) => {
  it.each([
    ['at the root', ''],
    ['at the root with a trailing slash', '/'],
    ['below /rest-api', ''],
    ['below /rest-api with a trailing slash', '/'],
  ])('answers %s', async (where, slash) => {
    const { token } = await gateway.user();
    const base = where.startsWith('below') ? ' /rest-api/' : ' /';
    const answer = await askGitflic(gateway, request.replace(' /', base) + slash, { token, json: json?.() });
    expect(answer.status).toBe(status);
  });

  it(`needs ${scope} and nothing else`, async () => {
    const { token } = await gateway.user([scope]);
    expect((await askGitflic(gateway, request, { token, json: json?.() })).status).toBe(status);
  });

  it('answers 403 to a token that may do everything else', async () => {
    const others: Scope[] = ['external_auth:write', 'external_auth:token', 'tokens:write'];
    const domains: Scope[] = ['user:read', 'ssh_keys:write', 'oauth_apps:write'];
    const family = scope.split(':')[0] as string;
    const { token } = await gateway.user([
      ...others,
      ...domains.filter((other) => !other.startsWith(family)),
    ]);
    await expectNothingStored(gateway, async () => {
      const answer = await askGitflic(gateway, request, { token, json: json?.() });
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({ error: 'Forbidden', title: 'error.forbidden' });
    });
  });

  it('answers 403 with AuthenticationException to a stranger, whatever else is wrong', async () => {
    await expectNothingStored(gateway, async () => {
      for (const path of [request, request.replace(SOME_ID, 'none'), `${request}?page=x`]) {
        const answer = await askGitflic(gateway, path, { body: json && '{' });
        expect(answer.status).toBe(403);
        expect(answer.body.error).toBe('AuthenticationException');
        expect(answer.body.violations).toEqual([]);
      }
    });
  });
});

describe('the token', () => {
  const me = (authorization?: string) =>
    askGitflic(gateway, 'GET /user/me', { headers: authorization === undefined ? {} : { authorization } });

  it.each([
    ['token', (token: string) => `token ${token}`],
    ['Token', (token: string) => `Token ${token}`],
    ['TOKEN', (token: string) => `TOKEN ${token}`],
    ['Bearer', (token: string) => `Bearer ${token}`],
    ['bearer', (token: string) => `bearer ${token}`],
    ['token with more space', (token: string) => `token   ${token} `],
  ])('is taken as %s', async (_form, header) => {
    const { token } = await gateway.user();
    expect((await me(header(token))).status).toBe(200);
  });

  it.each([
    ['missing', () => undefined],
    ['empty', () => ''],
    ['without a scheme', (token: string) => token],
    ['of another scheme', (token: string) => `Basic ${Buffer.from(`ada:${token}`).toString('base64')}`],
    ['without a token', () => 'token '],
    ['of two words', (token: string) => `token ${token} ${token}`],
    ['unknown', (token: string) => `token ${token.slice(0, -1)}x`],
    ['in the other case', (token: string) => `token ${token.toUpperCase()}`],
    ['not ours', () => 'token 3f8a2c'],
  ])('is refused when it is %s', async (_form, header) => {
    const { token } = await gateway.user();
    const { status, body } = await me(header(token));
    expect(status).toBe(403);
    expect(body).toMatchObject({
      error: 'AuthenticationException',
      title: 'error.unauthenticated',
      path: '/user/me',
    });
  });

  it('is not taken from the query, where it would be logged', async () => {
    const { token } = await gateway.user();
    for (const name of ['token', 'access_token', 'private_token']) {
      const response = await gateway.fetch(`/user/me?${name}=${token}`);
      expect(response.status, name).toBe(403);
    }
  });

  it('stops working when it is revoked', async () => {
    const { token } = await gateway.user();
    const { data } = await gateway.graphql('{ viewer { apiTokens { edges { node { id } } } } }', {}, token);
    await gateway.graphql(
      'mutation ($id: ID!) { revokeApiToken(input: { id: $id }) { __typename } }',
      { id: data.viewer.apiTokens.edges[0].node.id },
      token,
    );
    const { status, body } = await me(`token ${token}`);
    expect([status, body.error]).toEqual([403, 'AuthenticationException']);
  });

  it('stops working when it expires', async () => {
    const { token } = await gateway.user();
    const expiresAt = new Date(gateway.runtime.clock().getTime() + HOUR).toISOString();
    const { data } = await gateway.graphql(
      `mutation ($expiresAt: DateTime!) {
        createApiToken(input: { name: "short", scopes: [USER_READ], expiresAt: $expiresAt }) {
          ... on CreateApiTokenPayload { token }
        }
      }`,
      { expiresAt },
      token,
    );
    const short = `token ${data.createApiToken.token}`;
    expect((await me(short)).status).toBe(200);
    gateway.advance(HOUR);
    const { status, body } = await me(short);
    expect([status, body.error]).toEqual([403, 'AuthenticationException']);
  });

  it('stops working when its user is disabled', async () => {
    const { id, token } = await gateway.user();
    await gateway.runtime.db.user.update({ where: { id }, data: { disabledAt: new Date() } });
    const { status, body } = await me(`token ${token}`);
    expect([status, body.error]).toEqual([403, 'AuthenticationException']);
  });
});

describe('a path', () => {
  it.each([
    '/user',
    '/user/',
    '/user/other',
    '/user/settings',
    '/user/settings/oauth/1/2',
    '/user/settings/add-ssh-key/1',
    '/user/me//',
    '/rest-api',
    '/rest-api/project',
    '/rest-api/rest-api/user/me',
  ])('that is none answers 404 in the dialect: %s', async (path) => {
    const { token } = await gateway.user();
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status, body } = await askGitflic(gateway, `${method} ${path}`, { token });
      expect(status, method).toBe(404);
      expect(body).toMatchObject({ error: 'Not Found', title: 'error.notFound', path });
    }
  });

  it.each([
    ['/user/me', 'GET, HEAD, OPTIONS'],
    ['/user/settings/add-ssh-key', 'OPTIONS, POST'],
    ['/user/settings/oauth', 'GET, HEAD, OPTIONS, POST'],
    [`/user/settings/oauth/${SOME_ID}`, 'DELETE, GET, HEAD, OPTIONS, PUT'],
  ])('answers another method with 405 and OPTIONS with what it takes: %s', async (path, allow) => {
    const { token } = await gateway.user();
    const methods = allow.split(', ');
    for (const base of ['', '/rest-api']) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        if (methods.includes(method)) continue;
        const { status, headers, body } = await askGitflic(gateway, `${method} ${base}${path}`, { token });
        expect([status, headers.get('allow')], method).toEqual([405, allow]);
        expect(body).toMatchObject({ error: 'Method Not Allowed', title: 'error.methodNotAllowed' });
      }
      const { status, headers } = await askGitflic(gateway, `OPTIONS ${base}${path}`);
      expect([status, headers.get('allow')]).toEqual([204, allow]);
    }
  });

  it('answers HEAD as GET, without a body', async () => {
    const { token } = await gateway.user();
    const asked = [
      ['/user/me', 200],
      ['/user/settings/oauth', 200],
      [`/user/settings/oauth/${SOME_ID}`, 404],
    ] as const;
    for (const [path, status] of asked) {
      expect((await askGitflic(gateway, `HEAD ${path}`, { token })).status, path).toBe(status);
    }
    expect((await askGitflic(gateway, 'HEAD /user/settings/add-ssh-key', { token })).status).toBe(405);
  });
});

it('names the request in an answer, for the log', async () => {
  const { headers } = await askGitflic(gateway, 'GET /user/me', {
    headers: { 'x-request-id': 'check-0001' },
  });
  expect(headers.get('x-request-id')).toBe('check-0001');
});
