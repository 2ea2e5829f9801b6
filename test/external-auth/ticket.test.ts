import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createApiToken,
  revokeApiToken,
  setUserDisabled,
  systemActor,
} from '../../src/accounts/accounts.service.ts';
import { expectNothingStored } from '../database-dump.ts';
import { startGateway, type TestGateway, type TestUser } from '../harness.ts';
import { startUpstream, type Upstream } from '../upstream/oidc.ts';
import { openBrowser } from './flow-browser.ts';

const PORTAL = 'https://portal.test';

const START = `mutation ($providerId: String!, $redirectTo: String) {
  startExternalAuth(input: { providerId: $providerId, redirectTo: $redirectTo }) {
    __typename
    ... on StartExternalAuthPayload { url }
    ... on UserError { code message path }
  }
}`;

let upstream: Upstream;
let gateway: TestGateway;
let close: () => Promise<void>;

beforeAll(async () => {
  upstream = await startUpstream();
  const away = upstream.env(1, 'away', { ISSUER: 'http://127.0.0.1:9' });
  ({ gateway, close } = await startGateway({
    env: { ...upstream.env(0, 'oidc'), ...away, CORS_ORIGINS: PORTAL },
  }));
});
afterAll(async () => {
  await close();
  await upstream.close();
});

async function ticketOf(user: Pick<TestUser, 'token'>, redirectTo?: string): Promise<string> {
  const { data, errors } = await gateway.graphql(START, { providerId: 'oidc', redirectTo }, user.token);
  expect(errors).toBeUndefined();
  expect(data.startExternalAuth).toMatchObject({ __typename: 'StartExternalAuthPayload' });
  return data.startExternalAuth.url;
}

const linksOf = (user: TestUser) =>
  gateway.runtime.db.externalAuthLink.findMany({ where: { userId: user.id } });
const fromPortal = () => openBrowser(gateway, { referer: `${PORTAL}/`, 'sec-fetch-site': 'cross-site' });
const fromMail = () => openBrowser(gateway, { 'sec-fetch-site': 'none' });

describe('a ticket', () => {
  it('is an address that binds whatever browser opens it, and tells its front end nothing else', async () => {
    const user = await gateway.user();
    const url = new URL(await ticketOf(user, '/docs'));
    expect(url.origin + url.pathname).toBe('http://gatehouse.test/external-auth/oidc/start');
    expect([...url.searchParams.keys()]).toEqual(['ticket']);
    expect(url.searchParams.get('ticket')).toMatch(/^[\w-]{43}$/);

    const browser = fromPortal();
    const leaving = await browser.visit(url);
    expect(leaving.url.origin).toBe(upstream.issuer);
    const { response } = browser.exchanges.at(-1) ?? {};
    expect(response?.status).toBe(303);
    expect(response?.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^gatehouse_flow_[\w-]{36}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    // The provider must not see the ticket as a referrer.
    expect(response?.headers.get('referrer-policy')).toBe('same-origin');

    const back = await browser.visit(await upstream.grant(leaving.url));
    expect(back.url.pathname).toBe('/docs');
    const [link] = await linksOf(user);
    expect(link?.providerId).toBe('oidc');
    expect(gateway.logLines.join('')).not.toContain(url.searchParams.get('ticket'));
  });

  it('is kept as a hash', async () => {
    const user = await gateway.user();
    const ticket = new URL(await ticketOf(user)).searchParams.get('ticket') ?? '';
    const [flow] = await gateway.runtime.db.externalAuthFlow.findMany({ where: { userId: user.id } });
    expect(flow).toMatchObject({ stateHash: null, browserHash: null, codeVerifier: null, redirectTo: '/' });
    expect(Buffer.from(flow?.ticketHash ?? []).toString('base64url')).not.toBe(ticket);
  });

  it('works once', async () => {
    const user = await gateway.user();
    const url = await ticketOf(user);
    await fromPortal().visit(url);
    const page = await fromPortal().visit(url);
    expect(page.status).toBe(409);
    expect(page.text).toContain('<h1>This sign-in was used already</h1>');
  });

  it('works once, also when two browsers open it in the same moment', async () => {
    const user = await gateway.user();
    const { pathname, search } = new URL(await ticketOf(user));
    const headers = { referer: `${PORTAL}/` };
    const answers = await Promise.all([1, 2, 3].map(() => gateway.fetch(pathname + search, { headers })));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 409, 409]);
  });

  it('works for two minutes', async () => {
    const user = await gateway.user();
    const url = await ticketOf(user);
    gateway.advance(120_000);
    const page = await fromPortal().visit(url);
    expect(page.status).toBe(410);
    expect(page.text).toContain('<h1>This sign-in has expired</h1>');
  });

  it('gives ten minutes from then on, and no more', async () => {
    const user = await gateway.user();
    const browser = fromPortal();
    gateway.advance(1_000);
    const leaving = await browser.visit(await ticketOf(user));
    const callback = await upstream.grant(leaving.url);
    gateway.advance(600_000);
    expect((await browser.visit(callback)).status).toBe(410);
    expect(await linksOf(user)).toEqual([]);
  });

  it('works at its own provider only, and is no guess', async () => {
    const user = await gateway.user();
    const url = new URL(await ticketOf(user));
    const elsewhere = new URL(url);
    elsewhere.pathname = '/external-auth/away/start';
    expect((await fromPortal().visit(elsewhere)).status).toBe(401);
    const guess = new URL(url);
    for (const ticket of ['', 'x', 'x'.repeat(43), 'x'.repeat(10_000)]) {
      guess.searchParams.set('ticket', ticket);
      const page = await fromPortal().visit(guess);
      expect(page.status).toBe(401);
      expect(page.text).toContain('<h1>This sign-in is unknown</h1>');
    }
    expect((await fromPortal().visit(url)).url.origin).toBe(upstream.issuer);
  });

  it('ends with the token that it was asked for with, and with its user', async () => {
    const user = await gateway.user();
    const { apiToken, token } = await createApiToken(gateway.runtime, systemActor(user.id), null, {
      name: 'soon revoked',
      scopes: ['external_auth:write'],
      expiresAt: new Date(gateway.runtime.clock().getTime() + 60_000),
    });
    const [revoked, expired, disabled] = [
      await ticketOf({ token }),
      await ticketOf({ token }),
      await ticketOf(user),
    ];
    gateway.advance(61_000);
    expect((await fromPortal().visit(expired)).status).toBe(403);
    await revokeApiToken(gateway.runtime, systemActor(user.id), apiToken.id);
    expect((await fromPortal().visit(revoked)).status).toBe(401);
    await setUserDisabled(gateway.runtime, user.username, true);
    const page = await fromPortal().visit(disabled);
    expect(page.status).toBe(403);
    expect(page.text).toContain('<h1>This sign-in has ended</h1>');
  });

  it('that a HEAD request looks at is not used up', async () => {
    const user = await gateway.user();
    const url = new URL(await ticketOf(user));
    expect((await gateway.fetch(url.pathname + url.search, { method: 'HEAD' })).status).toBe(405);
    expect((await fromPortal().visit(url)).url.origin).toBe(upstream.issuer);
  });
});

// Whoever opens a ticket gives their account at the provider to the ticket's user: an attacker could send their own.
describe('a ticket that somebody may have been lured to', () => {
  it('asks first, and names the user', async () => {
    const user = await gateway.user();
    const browser = fromMail();
    const page = await browser.visit(await ticketOf(user));
    expect(page.status).toBe(200);
    expect(page.text).toContain('<h1>Link your oidc account?</h1>');
    expect(page.text).toContain(`Gatehouse user <strong>${user.username}</strong>`);
    const policy = browser.exchanges.at(-1)?.response.headers.get('content-security-policy');
    expect(policy).toContain("frame-ancestors 'none'");

    const leaving = await browser.submit(page, {}, ({ origin }) => origin !== gateway.origin);
    expect(leaving.url.origin).toBe(upstream.issuer);
    expect(browser.exchanges.at(-1)?.response.status).toBe(303);
    expect((await browser.visit(await upstream.grant(leaving.url))).url.pathname).toBe('/');
    expect(await linksOf(user)).toHaveLength(1);
  });

  it.each([
    ['another site', { referer: 'https://evil.test/', 'sec-fetch-site': 'cross-site' }],
    ['another site that hides its name', { 'sec-fetch-site': 'cross-site' }],
    ['a browser that says nothing', {}],
  ])('asks first when it comes from %s', async (_, headers) => {
    const user = await gateway.user();
    const page = await openBrowser(gateway, headers as Record<string, string>).visit(await ticketOf(user));
    expect(page.text).toContain('<h1>Link your oidc account?</h1>');
  });

  it('asks nothing where the same user is signed in', async () => {
    const user = await gateway.user();
    const browser = fromMail();
    await browser.signIn(user);
    expect((await browser.visit(await ticketOf(user))).url.origin).toBe(upstream.issuer);
  });

  it.each([fromMail, fromPortal])('is refused where another user is signed in', async (open) => {
    const [attacker, victim] = [await gateway.user(), await gateway.user()];
    const browser = open();
    await browser.signIn(victim);
    const page = await browser.visit(await ticketOf(attacker));
    expect(page.status).toBe(403);
    expect(page.text).toContain('<h1>This is another user</h1>');
    expect(page.text).not.toContain(attacker.username);
  });

  it('is refused at the callback where another user has signed in meanwhile', async () => {
    const [attacker, victim] = [await gateway.user(), await gateway.user()];
    const browser = fromPortal();
    const leaving = await browser.visit(await ticketOf(attacker));
    const callback = await upstream.grant(leaving.url);
    await browser.signIn(victim);
    expect((await browser.visit(callback)).status).toBe(403);
    expect(await linksOf(attacker)).toEqual([]);
    expect(await linksOf(victim)).toEqual([]);
  });

  it('is linked in the browser that opened it only: its callback is worth nothing elsewhere', async () => {
    const [attacker, victim] = [await gateway.user(), await gateway.user()];
    // The attacker opens it, and lets the victim's browser finish.
    const leaving = await fromPortal().visit(await ticketOf(attacker));
    const callback = await upstream.grant(leaving.url, { login: 'victim' });
    const browser = openBrowser(gateway);
    expect((await browser.visit(callback)).status).toBe(401);
    await browser.signIn(victim);
    expect((await browser.visit(callback)).status).toBe(401);
    expect(await linksOf(attacker)).toEqual([]);
  });

  it('does not take a confirmation that its page did not send', async () => {
    const user = await gateway.user();
    const browser = fromMail();
    const page = await browser.visit(await ticketOf(user));
    const { flow = '', token = '' } = page.form?.fields ?? {};
    const cookie = browser.exchanges.at(-1)?.response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const confirm = (fields: Record<string, string>, headers: Record<string, string>) =>
      gateway.fetch('/external-auth/oidc/start', {
        method: 'POST',
        headers: { origin: gateway.origin, ...headers },
        body: new URLSearchParams(fields),
      });
    const refusals = [
      await confirm({ flow, token }, {}),
      await confirm({ flow, token: '' }, { cookie }),
      await confirm({ flow }, { cookie }),
      await confirm({ token }, { cookie }),
      await confirm({ flow: 'x', token }, { cookie }),
      await confirm({ flow, token: 'x' }, { cookie }),
      await confirm({ flow, token }, { cookie: cookie.replace(/=.*/, '=x') }),
      await confirm({ flow, token }, { cookie, origin: 'https://evil.test' }),
      await confirm({ flow, token }, { cookie, origin: 'null' }),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401, 401, 403, 403]);
    // Pressed twice, the button works twice, and the last state counts.
    const [first, second] = [
      await confirm({ flow, token }, { cookie }),
      await confirm({ flow, token }, { cookie }),
    ];
    const callbackOf = async (answer: Response) => upstream.grant(answer.headers.get('location') ?? '');
    expect((await browser.visit(await callbackOf(first))).status).toBe(401);
    expect((await browser.visit(await callbackOf(second))).status).toBe(200);
    expect(await linksOf(user)).toHaveLength(1);
    expect((await confirm({ flow, token }, { cookie })).status).toBe(409);
  });
});

describe('startExternalAuth', () => {
  it.each([
    'https://evil.test/',
    '//evil.test',
    '/\\evil.test',
    '/%2f/evil.test',
    'docs',
    '',
    '/a\nb',
    `/${'x'.repeat(5_000)}`,
  ])('refuses to end at %j, and stores nothing', async (redirectTo) => {
    const user = await gateway.user();
    const { data } = await expectNothingStored(gateway, () =>
      gateway.graphql(START, { providerId: 'oidc', redirectTo }, user.token),
    );
    expect(data.startExternalAuth).toEqual({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      message: 'Redirect takes a path of this server, such as "/", without a host.',
      path: ['input', 'redirectTo'],
    });
  });

  it('knows no provider that nobody configured, and says when one is away', async () => {
    const user = await gateway.user();
    const start = async (providerId: string) =>
      (await gateway.graphql(START, { providerId }, user.token)).data.startExternalAuth;
    expect(await start('nope')).toMatchObject({ __typename: 'NotFound', path: ['input', 'providerId'] });
    expect(await start('away')).toMatchObject({ __typename: 'ExternalAuthProviderFailure' });
  });

  it('needs the scope external_auth:write', async () => {
    const user = await gateway.user(['external_auth:read']);
    const { data, errors } = await gateway.graphql(START, { providerId: 'oidc' }, user.token);
    expect(data).toBeNull();
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });
});
