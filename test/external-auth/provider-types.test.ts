import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ProviderSettings, parseProviders } from '../../src/external-auth/provider-settings.ts';
import { createProvider } from '../../src/external-auth/providers/create-provider.ts';
import { isPermanentRefreshFailure, type Provider } from '../../src/external-auth/providers/provider.ts';
import { type GitHubStub, startGitHub } from '../upstream/github.ts';
import * as stubs from '../upstream/stub.ts';

const redirectUri = 'http://gatehouse.test/external-auth/x/callback';
const state = 'a-state-that-nobody-guesses';
const codeVerifier = 'v'.repeat(43);
const now = new Date('2026-03-01T12:00:00Z');
const in8Hours = new Date('2026-03-01T20:00:00Z');

let stub: stubs.Stub;
beforeAll(async () => {
  stub = await stubs.startStub();
});
beforeEach(() => {
  stub.requests.length = 0;
});
afterAll(() => stub.close());

function create(env: Record<string, string>): Provider {
  const { providers, faults } = parseProviders(env, null);
  expect(faults).toEqual([]);
  return createProvider(providers[0] as ProviderSettings, {
    fetch,
    clock: () => now,
    redirectUri,
    limits: { timeoutMs: 2_000 },
  });
}

/** A provider whose site is the stub. */
function onStub(settings: Record<string, string>): Provider {
  return create(
    Object.fromEntries(
      Object.entries({ CLIENT_ID: 'the-client', CLIENT_SECRET: 'the-secret', ...settings }).map(
        ([key, value]) => [`EXTERNAL_AUTH_0_${key}`, value],
      ),
    ),
  );
}

const callback = (code = 'the-code') => new URL(`${redirectUri}?state=${state}&code=${code}`);
const exchange = (provider: Provider, code?: string) =>
  provider.exchangeCode(callback(code), {
    redirectUri,
    state,
    codeVerifier: provider.settings.pkce ? codeVerifier : null,
  });

const basic = `Basic ${Buffer.from('the-client:the-secret').toString('base64')}`;

describe('GitHub', () => {
  let github: GitHubStub;
  beforeAll(async () => {
    github = await startGitHub();
  });
  afterAll(() => github.close());
  const provider = (more = {}) => create(github.env(0, 'github', more));

  it('asks for consent with PKCE', async () => {
    const url = await provider().authorizationUrl({ redirectUri, state, codeVerifier });
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: github.clientId,
      redirect_uri: redirectUri,
      scope: 'repo workflow',
      state,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
  });

  it('links, renews, tells who it is, and revokes', async () => {
    const hub = provider({ EXTRA_TOKEN_KEYS: 'refresh_token_expires_in scope' });
    const tokens = await exchange(hub, github.grantCode());
    expect(tokens).toEqual({
      accessToken: expect.stringMatching(/^ghu_/),
      refreshToken: expect.stringMatching(/^ghr_/),
      expiresAt: in8Hours,
      extra: { refresh_token_expires_in: '15811200', scope: '' },
    });
    const renewed = await hub.refresh(tokens.refreshToken ?? '');
    expect(await hub.validate(renewed.accessToken)).toEqual({ state: 'valid' });
    expect(await hub.account(renewed.accessToken)).toEqual({
      id: '583231',
      login: 'octocat',
      name: 'The Octocat',
      avatarUrl: 'https://avatars.githubusercontent.com/u/583231',
      profileUrl: 'https://github.com/octocat',
    });
    expect(await hub.installations(renewed.accessToken)).toEqual([
      {
        id: 25381,
        account: expect.objectContaining({ id: '1', login: 'acme', name: '' }),
        configureUrl: 'https://github.com/organizations/acme/settings/installations/25381',
      },
    ]);
    expect(hub.supportsRevocation).toBe(true);
    await hub.revoke(renewed);
    expect(github.liveTokens.has(renewed.accessToken)).toBe(false);
    expect(await hub.validate(renewed.accessToken)).toMatchObject({ state: 'invalid' });
    await expect(hub.revoke(renewed)).rejects.toMatchObject({ transient: false });
  });

  it('says with status 200 that a refresh token was used', async () => {
    const hub = provider();
    const { refreshToken } = await exchange(hub, github.grantCode());
    await hub.refresh(refreshToken ?? '');
    const failure = await hub.refresh(refreshToken ?? '').catch((error) => error);
    expect(failure).toMatchObject({
      oauthError: 'bad_refresh_token',
      transient: false,
      message:
        'GitHub refused to renew the token: bad_refresh_token (The refresh token passed is incorrect or expired.).',
    });
    expect(isPermanentRefreshFailure(failure)).toBe(true);
  });

  it('says with status 200 that a device is not approved yet', async () => {
    const hub = provider();
    const device = await hub.startDevice();
    expect(device).toMatchObject({ userCode: 'WDJB-MJHT', expiresIn: 900, interval: 5 });
    await expect(hub.pollDevice(device.deviceCode)).rejects.toMatchObject({
      oauthError: 'authorization_pending',
    });
    github.approveDevices();
    expect(await hub.pollDevice(device.deviceCode)).toMatchObject({ expiresAt: in8Hours });
    await expect(hub.pollDevice('unknown')).rejects.toMatchObject({ oauthError: 'incorrect_device_code' });
  });

  it('refuses wrong client credentials for good', async () => {
    const failure = await provider({ CLIENT_SECRET: 'wrong-secret' })
      .refresh('x')
      .catch((error) => error);
    expect(failure.oauthError).toBe('incorrect_client_credentials');
    expect(isPermanentRefreshFailure(failure)).toBe(true);
  });

  it('may answer with a form', async () => {
    const hub = onStub({
      TYPE: 'github',
      AUTH_URL: `${stub.origin}/login/oauth/authorize`,
      DEVICE_FLOW: 'true',
    });
    stub.on(
      'POST /login/oauth/access_token',
      stubs.form({ access_token: 'gho_x', scope: 'repo', token_type: 'bearer' }),
      stubs.form({ error: 'slow_down', interval: '10' }),
    );
    expect(await exchange(hub)).toEqual({
      accessToken: 'gho_x',
      refreshToken: null,
      expiresAt: null,
      extra: {},
    });
    await expect(hub.pollDevice('x')).rejects.toMatchObject({ oauthError: 'slow_down', transient: true });
    stub.on(
      'POST /login/device/code',
      stubs.form({
        device_code: 'd',
        user_code: 'u',
        verification_uri: 'https://x.example',
        expires_in: '900',
        interval: '7',
      }),
    );
    expect(await hub.startDevice()).toMatchObject({ deviceCode: 'd', expiresIn: 900, interval: 7 });
  });

  it.each([
    [403, 'of an OAuth app, which has no installations', []],
    [404, 'of an installation that is too old to know them', []],
  ])('answers %i for the token %s', async (code, _, expected) => {
    const hub = onStub({ TYPE: 'github', AUTH_URL: `${stub.origin}/login/oauth/authorize` });
    stub.on('GET /api/v3/user/installations', stubs.json({ message: 'no' }, code));
    expect(await hub.installations('x')).toEqual(expected);
  });

  it('lists installations beyond the first hundred, and a thousand at most', async () => {
    const hub = onStub({ ID: 'hub', TYPE: 'github', AUTH_URL: `${stub.origin}/login/oauth/authorize` });
    const installationsOf =
      (total: number): stubs.Behaviour =>
      (response, request) => {
        const page = Number(new URL(request.path, stub.origin).searchParams.get('page') ?? 1);
        const ids = Array.from({ length: total }, (_, i) => i + 1).slice((page - 1) * 100, page * 100);
        stubs.json({
          total_count: total,
          installations: ids.map((id) => ({
            id,
            // The last one is an enterprise.
            account: id === total ? { id, slug: 'acme' } : { id, login: `org-${id}` },
            html_url: `https://hub.example/${id}`,
          })),
        })(response, request);
      };
    for (const [total, pages] of [
      [100, 1],
      [101, 2],
      [250, 3],
      [5_000, 10],
    ] as const) {
      stub.requests.length = 0;
      stub.on('GET /api/v3/user/installations', installationsOf(total));
      const found = await hub.installations('x');
      const expected = Math.min(total, 1_000);
      expect(found.map(({ id }) => id)).toEqual(Array.from({ length: expected }, (_, i) => i + 1));
      if (total <= 1_000) expect(found.at(-1)?.account.login).toBe('acme');
      expect(stub.count('GET /api/v3/user/installations')).toBe(pages);
    }
  });

  it('limits its rate with 403', async () => {
    const hub = onStub({ TYPE: 'github', AUTH_URL: `${stub.origin}/login/oauth/authorize` });
    const limited = stubs.json({ message: 'API rate limit exceeded' }, 403, { 'x-ratelimit-remaining': '0' });
    stub.on('GET /api/v3/user', limited);
    stub.on('GET /api/v3/user/installations', limited);
    expect(await hub.validate('x')).toEqual({ state: 'rate_limited' });
    await expect(hub.account('x')).rejects.toMatchObject({ transient: true });
    await expect(hub.installations('x')).rejects.toMatchObject({ transient: true });
  });
});

describe('GitLab', () => {
  const provider = () => onStub({ TYPE: 'gitlab', AUTH_URL: `${stub.origin}/sub/oauth/authorize` });

  it('is used under a path of its host', async () => {
    const lab = provider();
    stub.on(
      'POST /sub/oauth/token',
      stubs.json({ access_token: 'glt', refresh_token: 'glr', expires_in: 7200 }),
    );
    stub.on('GET /sub/oauth/token/info', stubs.json({ resource_owner_id: 1 }));
    stub.on(
      'GET /sub/api/v4/user',
      stubs.json({
        id: 7,
        username: 'ada',
        name: null,
        avatar_url: 'javascript:x',
        web_url: 'https://gitlab.corp/ada',
      }),
    );
    stub.on('POST /sub/oauth/revoke', stubs.json({}));
    expect(await exchange(lab)).toMatchObject({ accessToken: 'glt', refreshToken: 'glr' });
    expect(stub.requests[0]?.form).toEqual({
      client_id: 'the-client',
      client_secret: 'the-secret',
      code: 'the-code',
      code_verifier: codeVerifier,
      grant_type: 'authorization_code',
      redirect_uri: redirectUri,
    });
    expect(await lab.validate('glt')).toEqual({ state: 'valid' });
    expect(await lab.account('glt')).toEqual({
      id: '7',
      login: 'ada',
      name: '',
      avatarUrl: '',
      profileUrl: 'https://gitlab.corp/ada',
    });
    await lab.revoke({ accessToken: 'glt', refreshToken: 'glr' });
    expect(stub.requests.at(-1)?.form).toMatchObject({ token: 'glr', token_type_hint: 'refresh_token' });
    expect(lab.gitCredentials('glt')).toEqual({ username: 'oauth2', password: 'glt' });
  });
});

describe('Bitbucket', () => {
  it('Cloud takes HTTP Basic, and names its users by uuid', async () => {
    const bucket = onStub({
      TYPE: 'bitbucket-cloud',
      AUTH_URL: `${stub.origin}/site/oauth2/authorize`,
      API_BASE_URL: `${stub.origin}/2.0`,
    });
    stub.on(
      'POST /site/oauth2/access_token',
      stubs.json({ access_token: 'bb', refresh_token: 'br', expires_in: 7200 }),
    );
    stub.on(
      'GET /2.0/user',
      stubs.json({
        uuid: '{1234}',
        nickname: 'ada',
        display_name: 'Ada',
        links: { avatar: { href: 'https://bitbucket.org/a.png' } },
      }),
    );
    await exchange(bucket);
    expect(stub.requests[0]?.headers.authorization).toBe(basic);
    expect(stub.requests[0]?.form).not.toHaveProperty('client_secret');
    expect(stub.requests[0]?.form).not.toHaveProperty('code_verifier');
    expect(await bucket.account('bb')).toEqual({
      id: '{1234}',
      login: 'ada',
      name: 'Ada',
      avatarUrl: 'https://bitbucket.org/a.png',
      profileUrl: '',
    });
    expect(await bucket.validate('bb')).toEqual({ state: 'valid' });
    expect(bucket.supportsRevocation).toBe(false);
    expect(bucket.gitCredentials('bb')).toEqual({ username: 'x-token-auth', password: 'bb' });
  });

  it('Server is validated by a question that needs a user', async () => {
    const bucket = onStub({
      TYPE: 'bitbucket-server',
      AUTH_URL: `${stub.origin}/rest/oauth2/latest/authorize`,
    });
    stub.on('GET /rest/api/latest/inbox/pull-requests/count', stubs.json({ count: 0 }));
    expect(await bucket.validate('bb')).toEqual({ state: 'valid' });
    expect(await bucket.account('bb')).toBeNull();
    expect(bucket.gitCredentials('bb')).toEqual({ username: 'x-token-auth', password: 'bb' });
  });
});

describe('Azure DevOps', () => {
  it('takes assertions', async () => {
    const azure = onStub({ TYPE: 'azure-devops', AUTH_URL: `${stub.origin}/oauth2/authorize` });
    const url = await azure.authorizationUrl({ redirectUri, state, codeVerifier: null });
    expect(url.searchParams.get('response_type')).toBe('Assertion');
    stub.on(
      'POST /oauth2/token',
      stubs.json({ access_token: 'az', token_type: 'jwt-bearer', expires_in: '28800', refresh_token: 'ar' }),
    );
    expect(await exchange(azure)).toMatchObject({
      accessToken: 'az',
      refreshToken: 'ar',
      expiresAt: in8Hours,
    });
    await azure.refresh('ar');
    const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    expect(stub.requests.map((request) => request.form)).toEqual([
      {
        client_assertion_type: assertionType,
        client_assertion: 'the-secret',
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: 'the-code',
        redirect_uri: redirectUri,
      },
      {
        client_assertion_type: assertionType,
        client_assertion: 'the-secret',
        grant_type: 'refresh_token',
        assertion: 'ar',
        redirect_uri: redirectUri,
      },
    ]);
    expect(await azure.validate('az')).toEqual({ state: 'not_validated' });
  });

  it('through Entra takes a resource', async () => {
    const entra = onStub({ TYPE: 'azure-devops-entra', AUTH_URL: `${stub.origin}/tenant/oauth2/authorize` });
    const resource = '499b84ac-1321-427f-aa17-267ca6975798';
    const url = await entra.authorizationUrl({ redirectUri, state, codeVerifier: null });
    expect(url.searchParams.get('resource')).toBe(resource);
    stub.on('POST /tenant/oauth2/token', stubs.json({ access_token: 'en', expires_in: '3600', resource }));
    await exchange(entra);
    await entra.refresh('er');
    for (const { form } of stub.requests) {
      expect(form).toMatchObject({ resource, client_id: 'the-client', client_secret: 'the-secret' });
    }
  });
});

describe('Gitea', () => {
  it('is what Forgejo is', async () => {
    const gitea = onStub({ TYPE: 'forgejo', AUTH_URL: `${stub.origin}/login/oauth/authorize` });
    stub.on('GET /login/oauth/userinfo', stubs.json({ sub: '3' }));
    stub.on('GET /api/v1/user', stubs.json({ id: 3, login: 'ada', full_name: 'Ada L.' }));
    expect(await gitea.validate('gt')).toEqual({ state: 'valid' });
    expect(await gitea.account('gt')).toMatchObject({ id: '3', login: 'ada', name: 'Ada L.' });
    expect(gitea.gitCredentials('gt')).toEqual({ username: 'gt', password: '' });
  });
});

describe('JFrog', () => {
  it('takes the secret as a bearer token', async () => {
    const jfrog = onStub({ TYPE: 'jfrog', AUTH_URL: `${stub.origin}/ui/authorize` });
    const route = 'POST /access/api/v1/integrations/the-client/token';
    stub.on(route, stubs.json({ access_token: 'jf', expires_in: 0 }));
    expect(await exchange(jfrog)).toMatchObject({ accessToken: 'jf', expiresAt: null });
    expect(stub.requests[0]?.headers.authorization).toBe('Bearer the-secret');
    expect(stub.requests[0]?.body).not.toContain('the-secret');
  });
});

describe('Slack', () => {
  const provider = () => onStub({ TYPE: 'slack', AUTH_URL: `${stub.origin}/oauth/v2/authorize` });

  it("takes the user's token out of authed_user", async () => {
    stub.on(
      'POST /api/oauth.v2.access',
      stubs.json({
        ok: true,
        access_token: 'xoxb-bot',
        token_type: 'bot',
        authed_user: {
          id: 'U1',
          access_token: 'xoxp-user',
          token_type: 'user',
          refresh_token: 'xoxe',
          expires_in: 28800,
        },
      }),
      stubs.json({ ok: true, access_token: 'xoxb-bot', token_type: 'bot', authed_user: { id: 'U1' } }),
      stubs.json({ ok: false, error: 'invalid_code' }),
    );
    expect(await exchange(provider())).toMatchObject({
      accessToken: 'xoxp-user',
      refreshToken: 'xoxe',
      expiresAt: in8Hours,
      extra: { authed_user: { id: 'U1' } },
    });
    expect(await exchange(provider())).toMatchObject({ accessToken: 'xoxb-bot', expiresAt: null });
    await expect(exchange(provider())).rejects.toMatchObject({
      oauthError: 'invalid_code',
      transient: false,
    });
  });

  it('tells who the account is by auth.test, which fails with status 200', async () => {
    stub.on(
      'GET /api/auth.test',
      stubs.json({ ok: true, url: 'https://acme.slack.com/', team: 'Acme', user: 'ada', user_id: 'U1' }),
      stubs.json({ ok: false, error: 'token_revoked' }),
      stubs.json({ ok: false, error: 'ratelimited' }),
    );
    expect(await provider().account('xoxp-user')).toEqual({
      id: 'U1',
      login: 'ada',
      name: '',
      avatarUrl: '',
      profileUrl: '',
    });
    expect(stub.requests[0]?.headers.authorization).toBe('Bearer xoxp-user');
    await expect(provider().account('xoxp-user')).rejects.toMatchObject({
      message: 'Slack does not tell who the account is: token_revoked.',
      transient: false,
    });
    await expect(provider().account('xoxp-user')).rejects.toMatchObject({ transient: true });
  });

  it('revokes with auth.revoke, which fails with status 200', async () => {
    const slack = provider();
    expect(slack.supportsRevocation).toBe(true);
    stub.on(
      'POST /api/auth.revoke',
      stubs.json({ ok: true, revoked: true }),
      stubs.json({ ok: false, error: 'token_revoked' }),
      stubs.json({ ok: false, error: 'fatal_error' }),
      stubs.status(503),
    );
    const tokens = { accessToken: 'xoxp-user', refreshToken: null };
    await slack.revoke(tokens);
    expect(stub.requests[0]?.headers.authorization).toBe('Bearer xoxp-user');
    await slack.revoke(tokens);
    await expect(slack.revoke(tokens)).rejects.toMatchObject({
      message: 'Slack did not revoke the token: fatal_error.',
    });
    await expect(slack.revoke(tokens)).rejects.toMatchObject({ transient: true });
  });
});

describe('a token endpoint that misbehaves', () => {
  const provider = () =>
    onStub({
      ID: 'acme',
      AUTH_URL: `${stub.origin}/authorize`,
      TOKEN_URL: `${stub.origin}/token`,
      REVOKE_URL: `${stub.origin}/revoke`,
    });
  const secret = 'refresh-token-canary';

  it.each<[string, stubs.Behaviour, object]>([
    [
      '503',
      stubs.text('<h1>down</h1>', 503),
      { transient: true, message: 'acme has a fault of its own (status 503). Try again later.' },
    ],
    [
      '503 with an OAuth error',
      stubs.json({ error: 'invalid_grant' }, 503),
      { transient: true, oauthError: null },
    ],
    [
      '429',
      stubs.status(429, { 'retry-after': '7' }),
      {
        transient: true,
        retryAfterMs: 7_000,
        message: 'acme limits how often it may be asked (status 429). Try again later.',
      },
    ],
    ['400 without a reason', stubs.status(400), { transient: true, oauthError: null }],
    ['403 of a proxy', stubs.text('<h1>blocked</h1>', 403), { transient: true, oauthError: null }],
    ['404', stubs.text('nothing here', 404, 'text/plain'), { transient: true, oauthError: null }],
    ['a login page', stubs.text('<h1>Welcome to the airport</h1>'), { transient: true, oauthError: null }],
    ['half of a JSON text', stubs.text('{"access_token":"x', 200, 'application/json'), { transient: true }],
    ['JSON that is no object', stubs.json(['x']), { transient: true }],
    ['no access token', stubs.json({ token_type: 'bearer' }), { transient: true }],
    ['an access token that is no text', stubs.json({ access_token: 1 }), { transient: true }],
    ['an empty body', stubs.status(200), { transient: true }],
    ['a redirect', stubs.redirect('https://evil.example/'), { transient: true }],
    ['a cut connection', stubs.cut(), { transient: true }],
    ['temporarily_unavailable', stubs.json({ error: 'temporarily_unavailable' }, 400), { transient: true }],
    [
      'invalid_grant',
      stubs.json({ error: 'invalid_grant' }, 400),
      { transient: false, oauthError: 'invalid_grant' },
    ],
    [
      'invalid_grant with status 200',
      stubs.json({ error: 'invalid_grant' }),
      { transient: false, oauthError: 'invalid_grant' },
    ],
    [
      'invalid_client with a challenge',
      stubs.json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' }),
      { transient: false, oauthError: 'invalid_client' },
    ],
    [
      'our own secrets',
      stubs.json({ error: 'invalid_grant', error_description: `no ${secret}\nfor the-secret\u202e` }, 400),
      { message: 'acme refused to renew the token: invalid_grant (no … for …).' },
    ],
  ])('answers %s', async (_, behaviour, expected) => {
    stub.on('POST /token', behaviour);
    const failure = await provider()
      .refresh(secret)
      .catch((error) => error);
    expect(failure).toMatchObject({ name: 'ProviderFailure', code: 'PROVIDER_FAILURE', ...expected });
    expect(isPermanentRefreshFailure(failure)).toBe(failure.transient === false);
    let text = '';
    for (let error = failure; error instanceof Error; error = error.cause)
      text += `${error.message}${error.stack}`;
    expect(text + JSON.stringify(failure)).not.toContain(secret);
    expect(text).not.toContain('the-secret');
  });

  it('is taken at its word where it is merely odd', async () => {
    stub.on(
      'POST /token',
      stubs.json(
        {
          access_token: 'a',
          token_type: 'Whatever',
          refresh_token: null,
          expires_in: '60',
          scope: ['x'],
          id_token: 'x',
        },
        201,
      ),
    );
    expect(await provider().refresh(secret)).toEqual({
      accessToken: 'a',
      refreshToken: null,
      expiresAt: new Date(now.getTime() + 60_000),
      extra: {},
    });
  });

  it.each([
    [200, undefined],
    [204, undefined],
    [400, { oauthError: 'unsupported_token_type' }],
    [503, { transient: true }],
  ])('of revocation answers %i', async (code, expected) => {
    stub.on(
      'POST /revoke',
      code === 400 ? stubs.json({ error: 'unsupported_token_type' }, 400) : stubs.status(code),
    );
    const outcome = provider().revoke({ accessToken: 'a', refreshToken: null });
    await (expected ? expect(outcome).rejects.toMatchObject(expected) : outcome);
    expect(stub.requests[0]?.form).toMatchObject({ token: 'a', token_type_hint: 'access_token' });
  });
});

describe('validation', () => {
  const provider = () =>
    onStub({
      ID: 'acme',
      AUTH_URL: `${stub.origin}/authorize`,
      TOKEN_URL: `${stub.origin}/token`,
      VALIDATE_URL: `${stub.origin}/check`,
      USERINFO_URL: `${stub.origin}/me`,
    });

  it.each<[string, stubs.Behaviour, object]>([
    ['200', stubs.text('anything'), { state: 'valid' }],
    [
      '401',
      stubs.status(401),
      { state: 'invalid', reason: 'acme no longer accepts the token (status 401). Link the account again.' },
    ],
    [
      '403',
      stubs.status(403),
      { state: 'invalid', reason: 'acme no longer accepts the token (status 403). Link the account again.' },
    ],
    ['403 with Retry-After', stubs.status(403, { 'retry-after': '60' }), { state: 'rate_limited' }],
    ['403 at the limit', stubs.status(403, { 'x-ratelimit-remaining': '0' }), { state: 'rate_limited' }],
    ['403 below the limit', stubs.status(403, { 'x-ratelimit-remaining': '1' }), { state: 'invalid' }],
    ['429', stubs.status(429), { state: 'rate_limited' }],
    ['204', stubs.status(204), { state: 'unknown' }],
    [
      '500',
      stubs.text(`<h1>the-token-of-ada ${'x'.repeat(500)}`, 500),
      {
        state: 'unknown',
        reason: expect.stringMatching(/^acme could not check the token: status 500: body: <h1>… x{1,200}…$/),
      },
    ],
    ['a redirect', stubs.redirect('/login'), { state: 'unknown' }],
    [
      'nothing',
      stubs.hang(),
      { state: 'unknown', reason: 'acme did not answer within 2 seconds. Try again later.' },
    ],
  ])('of a token that gets %s', async (_, behaviour, expected) => {
    stub.on('GET /check', behaviour);
    expect(await provider().validate('the-token-of-ada')).toMatchObject(expected);
    expect(stub.requests[0]?.headers.authorization).toBe('Bearer the-token-of-ada');
  });

  it.each<[string, stubs.Behaviour, object]>([
    ['401', stubs.status(401), { transient: false }],
    ['500', stubs.status(500), { transient: true }],
    ['no JSON', stubs.text('x'), { transient: true }],
    ['no subject', stubs.json({ name: 'Ada' }), { transient: true }],
  ])('aside, an account with %s is a failure', async (_, behaviour, expected) => {
    stub.on('GET /me', behaviour);
    await expect(provider().account('x')).rejects.toMatchObject({ name: 'ProviderFailure', ...expected });
  });
});

describe('an issuer that is not to be trusted', () => {
  const metadata = (more: object) =>
    stubs.json({ issuer: stub.origin, token_endpoint: `${stub.origin}/token`, ...more });
  const discovering = () => onStub({ ID: 'idp', ISSUER: stub.origin });

  it.each([
    ['another issuer', { issuer: 'https://evil.example' }, 'does not describe itself'],
    ['a file', { token_endpoint: 'file:///etc/passwd' }, 'not safe to call'],
    ['a number inside', { token_endpoint: 'http://169.254.169.254/latest' }, 'not safe to call'],
    ['localhost', { token_endpoint: 'http://localhost:1/token' }, 'not safe to call'],
    ['no address', { token_endpoint: 7 }, 'not safe to call'],
    ['a password', { token_endpoint: 'https://a:b@other.example/token' }, 'not safe to call'],
  ])('names %s', async (_, more, message) => {
    stub.on('GET /.well-known/openid-configuration', metadata(more));
    stub.on('GET /.well-known/oauth-authorization-server', stubs.status(404));
    await expect(discovering().refresh('x')).rejects.toThrow(message);
    expect(stub.count('POST /token')).toBe(0);
  });

  it('may describe itself in the way of RFC 8414 only', async () => {
    stub.on('GET /.well-known/openid-configuration', stubs.status(404));
    stub.on(
      'GET /.well-known/oauth-authorization-server',
      metadata({ token_endpoint_auth_methods_supported: ['client_secret_post'] }),
    );
    stub.on('POST /token', stubs.json({ access_token: 'a' }));
    expect(await discovering().refresh('x')).toMatchObject({ accessToken: 'a' });
    expect(stub.requests.at(-1)?.form.client_secret).toBe('the-secret');
    await expect(discovering().startDevice()).rejects.toMatchObject({
      message:
        'idp has no device authorization endpoint. The administrator can set DEVICE_CODE_URL for "idp".',
    });
  });

  it('leaves its users with what is configured while it is down', async () => {
    stub.on('GET /.well-known/openid-configuration', stubs.status(503));
    stub.on('GET /.well-known/oauth-authorization-server', stubs.status(503));
    expect(await discovering().capabilities()).toEqual({ revocation: false, validation: false });
    expect(await discovering().validate('x')).toMatchObject({ state: 'unknown' });
  });
});
