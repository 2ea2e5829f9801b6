import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createApiToken,
  revokeApiToken,
  setUserDisabled,
  systemActor,
} from '../../src/accounts/accounts.service.ts';
import { startGateway, type TestGateway, type TestUser } from '../harness.ts';
import { startUpstream, type Upstream } from '../upstream/oidc.ts';
import { json, late, type Stub, startStub, status } from '../upstream/stub.ts';
import { type FlowBrowser, openBrowser } from './flow-browser.ts';
import { stubEnv } from './link-account.ts';

let upstream: Upstream;
let stub: Stub;
let gateway: TestGateway;
let close: () => Promise<void>;
let secure: TestGateway;
let closeSecure: () => Promise<void>;

const envAtStub = (n: number, id: string, more: Record<string, string> = {}) =>
  stubEnv(n, id, stub.origin, {
    DISPLAY_NAME: 'The <b>stub</b>',
    TOKEN_URL: `${stub.origin}/token`,
    ...more,
  });

beforeAll(async () => {
  [upstream, stub] = await Promise.all([startUpstream(), startStub()]);
  const env = {
    ...upstream.env(0, 'oidc'),
    ...envAtStub(1, 'stub'),
    ...envAtStub(2, 'away', { ISSUER: `${stub.origin}/nowhere`, AUTH_URL: '', TOKEN_URL: '' }),
    ...envAtStub(3, 'no-pkce', { PKCE_METHODS: 'none' }),
  };
  ({ gateway, close } = await startGateway({ env }));
  ({ gateway: secure, close: closeSecure } = await startGateway({
    env: { ...env, PUBLIC_URL: 'https://gatehouse.test' },
  }));
});
afterAll(async () => {
  await Promise.all([close(), closeSecure()]);
  await Promise.all([upstream.close(), stub.close()]);
});

async function signedIn(): Promise<{ user: TestUser; browser: FlowBrowser }> {
  const user = await gateway.user();
  const browser = openBrowser(gateway);
  await browser.signIn(user);
  return { user, browser };
}

const linksOf = (user: TestUser) =>
  gateway.runtime.db.externalAuthLink.findMany({ where: { userId: user.id } });
const flowsOf = (user: TestUser) =>
  gateway.runtime.db.externalAuthFlow.findMany({ where: { userId: user.id }, orderBy: { id: 'asc' } });
const lastCookies = (browser: FlowBrowser) => browser.exchanges.at(-1)?.response.headers.getSetCookie() ?? [];

/** Where the stub would send the browser back to. */
function backFromStub(leaving: URL, parameters: Record<string, string>): URL {
  const callback = new URL(leaving.searchParams.get('redirect_uri') ?? '');
  callback.search = new URLSearchParams({
    state: leaving.searchParams.get('state') ?? '',
    ...parameters,
  }).toString();
  return callback;
}

/** A page that says why nothing was linked, and offers to try again. */
async function expectFault(
  page: { status: number; text: string },
  code: number,
  title: string,
  ...owners: TestUser[]
) {
  expect(page.text).toContain(`<h1>${title}</h1>`);
  expect(page.status).toBe(code);
  expect(page.text).toMatch(/<a class="button" href="\/external-auth\/[\w-]+">Try again<\/a>/);
  for (const owner of owners) expect(await linksOf(owner)).toEqual([]);
}

describe('linking an account in a browser', () => {
  it('leads to the provider with all that protects the way back, and ends where it was asked to', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc?redirect=/account%3Ftab=links');
    expect(url.origin + url.pathname).toBe(`${upstream.issuer}/auth`);
    const { state, code_challenge: challenge, ...parameters } = Object.fromEntries(url.searchParams);
    expect(parameters).toEqual({
      response_type: 'code',
      client_id: 'gatehouse',
      scope: 'openid profile',
      redirect_uri: 'http://gatehouse.test/external-auth/oidc/callback',
      code_challenge_method: 'S256',
    });
    // 256 random bits each.
    expect(state).toMatch(/^[\w-]{43}$/);
    expect(challenge).toMatch(/^[\w-]{43}$/);
    const start = browser.exchanges.at(-1);
    expect(start?.response.status).toBe(303);
    expect(start?.response.headers.get('referrer-policy')).toBe('same-origin');
    expect(start?.response.headers.get('cache-control')).toBe('no-store');

    const back = await browser.open(await upstream.grant(url), ({ pathname }) => pathname === '/account');
    expect(back.url.pathname + back.url.search).toBe('/account?tab=links');
    expect(browser.exchanges.at(-1)?.response.status).toBe(303);
    const [link] = await linksOf(user);
    expect(link).toMatchObject({ providerId: 'oidc', refreshFailureReason: null });
    const [audit] = await gateway.runtime.db.auditEvent.findMany({
      where: { userId: user.id, action: 'external_auth.link' },
    });
    expect(audit?.tokenId).not.toBeNull();
    expect(audit?.requestId).not.toBeNull();
  });

  it('keeps neither state nor code verifier nor cookie as it is', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc');
    const state = url.searchParams.get('state') ?? '';
    const cookie = lastCookies(browser)[0]?.match(/=([\w-]{43});/)?.[1] ?? '';
    expect(cookie).not.toBe('');
    const [flow] = await flowsOf(user);
    expect(flow?.codeVerifier).toMatch(/^v1\./);
    expect(flow?.stateHash).toHaveLength(32);
    expect(flow?.browserHash).toHaveLength(32);
    await browser.visit(await upstream.grant(url));
    const [used] = await flowsOf(user);
    expect(used).toMatchObject({ codeVerifier: null, usedAt: expect.any(Date) });
    const log = gateway.logLines.join('');
    for (const secret of [state, cookie]) expect(log).not.toContain(secret);
  });

  it('sets a cookie of its own for each flow, and clears it', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc');
    const [flow] = await flowsOf(user);
    expect(lastCookies(browser)).toEqual([
      expect.stringMatching(
        new RegExp(`^gatehouse_flow_${flow?.id}=[\\w-]{43}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax$`),
      ),
    ]);
    await browser.visit(await upstream.grant(url));
    expect(browser.exchanges.at(-2)?.response.headers.getSetCookie()).toEqual([
      `gatehouse_flow_${flow?.id}=; Max-Age=0; Path=/`,
    ]);
  });

  it('pins its cookie to the host on https', async () => {
    const user = await secure.user();
    const response = await secure.fetch('/external-auth/stub', { token: user.token });
    expect(response.status).toBe(303);
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-gatehouse_flow_[\w-]{36}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ]);
    const leaving = new URL(response.headers.get('location') ?? '');
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    const { pathname, search } = backFromStub(leaving, { code: 'a-code' });
    const back = await secure.fetch(pathname + search, {
      token: user.token,
      headers: { cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? '' },
    });
    expect(back.headers.get('location')).toBe('/');
    expect(back.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-gatehouse_flow_[\w-]{36}=; Max-Age=0; Path=\/; Secure$/),
    ]);
  });

  it('goes on in two tabs at once', async () => {
    const { user, browser } = await signedIn();
    const first = await browser.visit('/external-auth/oidc?redirect=/docs');
    const second = await browser.visit('/external-auth/stub?redirect=/login');
    const third = await browser.visit('/external-auth/oidc?redirect=/');
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    expect((await browser.visit(backFromStub(second.url, { code: 'a-code' }))).url.pathname).toBe('/login');
    expect((await browser.visit(await upstream.grant(third.url))).url.pathname).toBe('/');
    expect((await browser.visit(await upstream.grant(first.url))).url.pathname).toBe('/docs');
    expect(await linksOf(user)).toHaveLength(2);
  });

  it('keeps eight flows in one browser, and forgets the oldest', async () => {
    const { browser } = await signedIn();
    const pages: URL[] = [];
    for (let n = 0; n < 9; n++) pages.push((await browser.visit('/external-auth/stub')).url);
    expect(lastCookies(browser)).toHaveLength(2);
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    const [oldest, next] = pages as [URL, URL];
    await expectFault(
      await browser.visit(backFromStub(oldest, { code: 'a-code' })),
      401,
      'This is another browser',
    );
    expect((await browser.visit(backFromStub(next, { code: 'a-code' }))).status).toBe(200);
  });

  it('sends no code challenge to a provider that takes none', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/no-pkce');
    expect(url.searchParams.has('code_challenge')).toBe(false);
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    await browser.visit(backFromStub(url, { code: 'a-code' }));
    expect(stub.requests.at(-1)?.form).not.toHaveProperty('code_verifier');
    expect(await linksOf(user)).toHaveLength(1);
  });

  it('sends the code verifier that belongs to the challenge, and the exact redirect URI', async () => {
    const { browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    await browser.visit(backFromStub(url, { code: 'a-code' }));
    const { code, code_verifier: verifier, redirect_uri: redirectUri } = stub.requests.at(-1)?.form ?? {};
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
    expect(Buffer.from(digest).toString('base64url')).toBe(url.searchParams.get('code_challenge'));
    expect({ code, redirectUri }).toEqual({
      code: 'a-code',
      redirectUri: 'http://gatehouse.test/external-auth/stub/callback',
    });
  });

  it('begins at the callback, too, as the front end of Coder does', async () => {
    const { browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc/callback?redirect=/docs');
    expect(url.origin).toBe(upstream.issuer);
    expect((await browser.visit(await upstream.grant(url))).url.pathname).toBe('/docs');
  });

  it('asks to sign in first, and goes on from there', async () => {
    const user = await gateway.user();
    const browser = openBrowser(gateway);
    const login = await browser.visit('/external-auth/oidc?redirect=/docs');
    expect(login.url.pathname).toBe('/login');
    const leaving = await browser.submit(
      login,
      { token: user.token },
      ({ origin }) => origin !== gateway.origin,
    );
    expect(leaving.url.origin).toBe(upstream.issuer);
    expect((await browser.visit(await upstream.grant(leaving.url))).url.pathname).toBe('/docs');
    expect(await linksOf(user)).toHaveLength(1);
  });

  it('takes local redirects only', async () => {
    const { user, browser } = await signedIn();
    const hosts = [
      '//evil.test',
      '/\\evil.test',
      '/%09/evil.test',
      'https://evil.test',
      '/%2fevil.test',
      '/.//evil.test',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constantFrom(...hosts), fc.webUrl(), fc.string({ unit: 'binary', maxLength: 40 })),
        async (redirect) => {
          await browser.visit(`/external-auth/stub?redirect=${encodeURIComponent(redirect.toWellFormed())}`);
          const flow = (await flowsOf(user)).at(-1);
          const target = new URL(flow?.redirectTo ?? '', gateway.origin);
          expect(target.origin).toBe(gateway.origin);
          if (hosts.includes(redirect)) expect(flow?.redirectTo).toBe('/');
        },
      ),
      { numRuns: 25 },
    );
  });

  it('does not lose a grant when the person closes the page while it comes', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const aborter = new AbortController();
    stub.on('POST /token', (response, request) => {
      aborter.abort();
      late(50, json({ access_token: 'access-of-the-stub' }))(response, request);
    });
    const cookie = browser.exchanges.at(-1)?.response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const { pathname, search } = backFromStub(url, { code: 'a-code' });
    await gateway
      .fetch(pathname + search, { token: user.token, headers: { cookie }, signal: aborter.signal })
      .catch(() => {});
    await expect.poll(() => linksOf(user)).toHaveLength(1);
  });
});

describe('a callback is refused', () => {
  it('when the person denied access', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc');
    const before = upstream.count();
    const page = await browser.visit(await upstream.deny(url));
    await expectFault(page, 400, 'Access was denied', user);
    expect(page.text).toContain(`You are signed in as <strong>${user.username}</strong>`);
    expect(lastCookies(browser)).toEqual([expect.stringContaining('Max-Age=0')]);
    expect(upstream.count()).toBe(before);
    // Its state is used, also by a denial.
    await expectFault(
      await browser.visit(backFromStub(url, { code: 'a-code', iss: upstream.issuer })),
      409,
      'This sign-in was used already',
      user,
    );
  });

  it('when it was used already', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc');
    const callback = await upstream.grant(url);
    await browser.visit(callback);
    const before = upstream.count();
    const page = await browser.visit(callback);
    await expectFault(page, 409, 'This sign-in was used already');
    expect(upstream.count()).toBe(before);
    expect(await linksOf(user)).toHaveLength(1);
  });

  it('when it comes twice at once: one is exchanged', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const cookie = browser.exchanges.at(-1)?.response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    stub.on('POST /token', late(50, json({ access_token: 'access-of-the-stub' })));
    const before = stub.count('POST /token');
    const { pathname, search } = backFromStub(url, { code: 'a-code' });
    const answers = await Promise.all(
      [1, 2, 3].map(() => gateway.fetch(pathname + search, { token: user.token, headers: { cookie } })),
    );
    expect(answers.map(({ status: code }) => code).sort()).toEqual([303, 409, 409]);
    expect(stub.count('POST /token')).toBe(before + 1);
  });

  it('when it took longer than ten minutes', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    gateway.advance(600_000);
    const before = stub.count('POST /token');
    const page = await browser.visit(backFromStub(url, { code: 'a-code' }));
    await expectFault(page, 410, 'This sign-in has expired', user);
    expect(stub.count('POST /token')).toBe(before);
    // A real browser has dropped the cookie by then.
    const late = openBrowser(gateway);
    await expectFault(
      await late.visit(backFromStub(url, { code: 'a-code' })),
      410,
      'This sign-in has expired',
    );
  });

  it('when the state is unknown', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const page = await browser.visit(backFromStub(url, { code: 'a-code', state: 'x'.repeat(43) }));
    await expectFault(page, 401, 'This sign-in is unknown', user);
  });

  it.each<Record<string, string>>([{ code: 'a-code' }, { error: 'access_denied' }])(
    'when there is no state: %o',
    async (parameters) => {
      const { user, browser } = await signedIn();
      const { url } = await browser.visit('/external-auth/stub');
      for (const state of ['', undefined]) {
        const callback = backFromStub(url, parameters);
        callback.searchParams.delete('state');
        if (state !== undefined) callback.searchParams.set('state', state);
        await expectFault(await browser.visit(callback), 400, 'The answer has no state', user);
      }
    },
  );

  it('in another browser, also of the same user', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const other = openBrowser(gateway);
    await other.signIn(user);
    const callback = backFromStub(url, { code: 'a-code' });
    await expectFault(await other.visit(callback), 401, 'This is another browser', user);
    // That did not use it up: it is its own browser's still.
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    expect((await browser.visit(callback)).status).toBe(200);
    expect(await linksOf(user)).toHaveLength(1);
  });

  it('for another user in the same browser', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const other = await gateway.user();
    await browser.signOutAndIn(other);
    const page = await browser.visit(backFromStub(url, { code: 'a-code' }));
    await expectFault(page, 403, 'This is another user', user, other);
    expect(page.text).not.toContain(user.username);
    expect(lastCookies(browser)).toEqual([expect.stringContaining('Max-Age=0')]);
  });

  it('when nobody is signed in any more', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    await browser.signOut();
    await expectFault(
      await browser.visit(backFromStub(url, { code: 'a-code' })),
      401,
      'You are signed out',
      user,
    );
  });

  it('at another provider', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    const callback = backFromStub(url, { code: 'a-code' });
    callback.pathname = '/external-auth/oidc/callback';
    const before = upstream.count();
    await expectFault(await browser.visit(callback), 401, 'This is another provider', user);
    expect(upstream.count()).toBe(before);
  });

  it('from another issuer (RFC 9207)', async () => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/oidc');
    const callback = await upstream.grant(url);
    callback.searchParams.set('iss', 'https://evil.test');
    const before = upstream.count();
    await expectFault(await browser.visit(callback), 401, 'This answer is for another sign-in', user);
    expect(upstream.count()).toBe(before);
  });

  it('when the token that it was started with is revoked, or its user disabled', async () => {
    const user = await gateway.user();
    const { apiToken, token } = await createApiToken(gateway.runtime, systemActor(user.id), null, {
      name: 'soon revoked',
      scopes: ['external_auth:write'],
    });
    const browser = openBrowser(gateway);
    await browser.signIn({ ...user, token });
    const { url } = await browser.visit('/external-auth/stub');
    await revokeApiToken(gateway.runtime, systemActor(user.id), apiToken.id);
    await browser.signOutAndIn(user);
    await expectFault(
      await browser.visit(backFromStub(url, { code: 'a-code' })),
      401,
      'This sign-in is unknown',
      user,
    );

    const { url: again } = await browser.visit('/external-auth/stub');
    await setUserDisabled(gateway.runtime, user.username, true);
    await expectFault(
      await browser.visit(backFromStub(again, { code: 'a-code' })),
      403,
      'This sign-in has ended',
      user,
    );
  });
});

describe("the provider's part", () => {
  it.each([
    ['a refused code', json({ error: 'invalid_grant' }, 400)],
    ['a fault of its own', status(500)],
    ['an answer that nobody understands', json({ hello: 'there' })],
  ])('fails with %s: 502, and another try works', async (_, behaviour) => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    stub.on('POST /token', behaviour);
    await expectFault(
      await browser.visit(backFromStub(url, { code: 'a-code' })),
      502,
      'The &lt;b&gt;stub&lt;/b&gt; failed',
      user,
    );
    expect(lastCookies(browser)).toEqual([expect.stringContaining('Max-Age=0')]);
    const again = await browser.visit('/external-auth/stub');
    stub.on('POST /token', json({ access_token: 'access-of-the-stub' }));
    await browser.visit(backFromStub(again.url, { code: 'a-code' }));
    expect(await linksOf(user)).toHaveLength(1);
  });

  it('fails at the start when its endpoints cannot be found: 502', async () => {
    const { user, browser } = await signedIn();
    await expectFault(
      await browser.visit('/external-auth/away'),
      502,
      'The &lt;b&gt;stub&lt;/b&gt; failed',
      user,
    );
    expect(await flowsOf(user)).toEqual([]);
  });

  it.each([
    ['access_denied', 400, 'Access was denied'],
    ['consent_required', 400, 'The &lt;b&gt;stub&lt;/b&gt; said no'],
    ['temporarily_unavailable', 502, 'The &lt;b&gt;stub&lt;/b&gt; failed'],
  ])('is %s: %i', async (error, code, title) => {
    const { user, browser } = await signedIn();
    const { url } = await browser.visit('/external-auth/stub');
    await expectFault(await browser.visit(backFromStub(url, { error })), code, title, user);
  });

  it('is never shown as anything but text, and cut', async () => {
    const { user, browser } = await signedIn();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('access_denied', 'other', '<script>alert(1)</script>', '"><img src=x>'),
        fc.oneof(
          fc.constant(`<script>alert(1)</script>${'x'.repeat(5_000)}`),
          fc.string({ unit: 'binary', maxLength: 300 }),
        ),
        async (error, description) => {
          const { url } = await browser.visit('/external-auth/stub');
          const page = await browser.visit(
            backFromStub(url, { error, error_description: `<i>${description.toWellFormed()}</i>` }),
          );
          expect(page.status).toBeGreaterThanOrEqual(400);
          expect(page.text).not.toMatch(/<(?:script|img|i|b)\b/);
          expect(page.text.length).toBeLessThan(5_500);
        },
      ),
      { numRuns: 20 },
    );
    expect(await linksOf(user)).toEqual([]);
    expect(browser.exchanges.at(-1)?.response.headers.get('content-security-policy')).toContain(
      "default-src 'none'",
    );
  });
});

describe('an address', () => {
  it.each(['', '/start?ticket=x', '/callback?code=a&state=b'])(
    'of a provider that nobody configured is not found: /external-auth/nope%s',
    async (rest) => {
      const response = await gateway.fetch(`/external-auth/nope${rest}`);
      expect(response.status).toBe(404);
      expect(await response.text()).toContain('<h1>There is no such provider</h1>');
    },
  );

  it.each([
    ['POST', '/external-auth/stub', 'GET'],
    ['POST', '/external-auth/stub/callback?code=a&state=b', 'GET'],
    ['HEAD', '/external-auth/stub/callback?code=a&state=b', 'GET'],
    ['HEAD', '/external-auth/stub', 'GET'],
    ['DELETE', '/external-auth/stub/start', 'GET, POST'],
  ])('takes no %s %s', async (method, path, allow) => {
    const user = await gateway.user();
    const response = await gateway.fetch(path, { method, token: user.token });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await flowsOf(user)).toEqual([]);
  });

  it('starts nothing for a token without the scope external_auth:write', async () => {
    const user = await gateway.user(['external_auth:read']);
    const response = await gateway.fetch('/external-auth/stub', { token: user.token });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('Your token lacks the scope external_auth:write.');
    expect(await flowsOf(user)).toEqual([]);
  });
});

describe('flows that nobody finished', () => {
  it('are cleaned up an hour after they expired, and are fifty of one user at most', async () => {
    const { user, browser } = await signedIn();
    for (let n = 0; n < 52; n++) await browser.visit('/external-auth/stub');
    expect(await flowsOf(user)).toHaveLength(50);
    gateway.advance(600_000 + 3_600_000 + 1_000);
    // Each new one clears away a hundred, of whomever.
    const other = await signedIn();
    for (let n = 0; n < 3; n++) await other.browser.visit('/external-auth/stub');
    expect(await flowsOf(user)).toEqual([]);
    expect(await flowsOf(other.user)).toHaveLength(3);
  });
});
