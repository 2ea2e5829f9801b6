import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkProvider } from '../../src/external-auth/check-provider.ts';
import { type ProviderSettings, parseProviders } from '../../src/external-auth/provider-settings.ts';
import { createProvider } from '../../src/external-auth/providers/create-provider.ts';
import { type Provider, ProviderFailure } from '../../src/external-auth/providers/provider.ts';
import * as stubs from '../upstream/stub.ts';

// Every kind of call that leaves the gateway, against a provider that misbehaves whatever it is asked. There is one
// way out (outgoing.ts), and these tests are what keeps a new kind of call from finding another.

const redirectUri = 'http://gatehouse.test/external-auth/x/callback';
const state = 'a-state-that-nobody-guesses';
const secrets = {
  clientSecret: 'the-client-secret',
  access: 'the-access-token',
  refresh: 'the-refresh-token',
};
const tokens = { accessToken: secrets.access, refreshToken: secrets.refresh };

let stub: stubs.Stub;
let elsewhere: stubs.Stub;
beforeAll(async () => {
  [stub, elsewhere] = await Promise.all([stubs.startStub(), stubs.startStub()]);
});
beforeEach(() => {
  stub.requests.length = 0;
});
afterAll(() => Promise.all([stub.close(), elsewhere.close()]));

/** The origins that calls went to. */
const called = new Set<string>();

const tools = {
  fetch: (input: string | URL | Request, init?: RequestInit) => {
    called.add(new URL(input instanceof Request ? input.url : input).origin);
    return fetch(input, init);
  },
  clock: () => new Date(),
  redirectUri,
};

function settingsOf(given: Record<string, string>): ProviderSettings {
  const env = { ID: 'acme', CLIENT_ID: 'the-client', CLIENT_SECRET: secrets.clientSecret, ...given };
  const { providers, faults } = parseProviders(
    Object.fromEntries(Object.entries(env).map(([name, value]) => [`EXTERNAL_AUTH_0_${name}`, value])),
    null,
  );
  expect(faults).toEqual([]);
  return providers[0] as ProviderSettings;
}

/** Of a type with a site of its own, at the stub. */
const site = (type: string, path: string) => ({ TYPE: type, AUTH_URL: `${stub.origin}${path}` });
const generic = (more: Record<string, string> = {}) => ({
  AUTH_URL: `${stub.origin}/authorize`,
  TOKEN_URL: `${stub.origin}/token`,
  TOKEN_AUTH_METHOD: 'client_secret_post',
  ...more,
});

const exchange = (provider: Provider) =>
  provider.exchangeCode(new URL(`${redirectUri}?state=${state}&code=a-code-for-once`), {
    redirectUri,
    state,
    codeVerifier: provider.settings.pkce ? 'v'.repeat(43) : null,
  });

/** What it needs to be configured, and the call. */
const calls: Record<string, [() => Record<string, string>, (provider: Provider) => Promise<unknown>]> = {
  discovery: [() => ({ ISSUER: stub.origin }), (provider) => provider.refresh(secrets.refresh)],
  'the exchange of a code': [generic, exchange],
  'the exchange of a code at JFrog': [() => site('jfrog', '/ui/authorization'), exchange],
  'the exchange of a code at Azure DevOps': [() => site('azure-devops', '/oauth2/authorize'), exchange],
  'the exchange of a code at Slack': [() => site('slack', '/oauth/v2/authorize'), exchange],
  'a renewal': [generic, (provider) => provider.refresh(secrets.refresh)],
  'the start of a device flow': [
    () => generic({ DEVICE_FLOW: 'true', DEVICE_CODE_URL: `${stub.origin}/device` }),
    (provider) => provider.startDevice(),
  ],
  'the poll of a device flow': [generic, (provider) => provider.pollDevice('a-device-code')],
  validation: [
    () => generic({ VALIDATE_URL: `${stub.origin}/check` }),
    (provider) => provider.validate(secrets.access),
  ],
  'validation by userinfo': [
    () => generic({ USERINFO_URL: `${stub.origin}/me` }),
    (provider) => provider.validate(secrets.access),
  ],
  userinfo: [
    () => generic({ USERINFO_URL: `${stub.origin}/me` }),
    (provider) => provider.account(secrets.access),
  ],
  'the account at GitHub': [
    () => site('github', '/login/oauth/authorize'),
    (provider) => provider.account(secrets.access),
  ],
  'the account at GitLab': [
    () => site('gitlab', '/oauth/authorize'),
    (provider) => provider.account(secrets.access),
  ],
  'the account at Gitea': [
    () => site('gitea', '/login/oauth/authorize'),
    (provider) => provider.account(secrets.access),
  ],
  'the account at Bitbucket': [
    () => ({ ...site('bitbucket-cloud', '/site/oauth2/authorize'), API_BASE_URL: `${stub.origin}/2.0` }),
    (provider) => provider.account(secrets.access),
  ],
  'the account at Slack': [
    () => site('slack', '/oauth/v2/authorize'),
    (provider) => provider.account(secrets.access),
  ],
  installations: [
    () => site('github', '/login/oauth/authorize'),
    (provider) => provider.installations(secrets.access),
  ],
  'a revocation': [
    () => generic({ REVOKE_URL: `${stub.origin}/revoke` }),
    (provider) => provider.revoke(tokens),
  ],
  'a revocation at GitHub': [
    () => site('github', '/login/oauth/authorize'),
    (provider) => provider.revoke(tokens),
  ],
  'a revocation at Slack': [
    () => site('slack', '/oauth/v2/authorize'),
    (provider) => provider.revoke(tokens),
  ],
};

const misbehaviours: [string, () => stubs.Behaviour, RegExp][] = [
  [
    'redirects to another host',
    () => stubs.redirect(`${elsewhere.origin}/catch`, 307),
    /answered with a redirect to 127\.0\.0\.1:\d+, which is never followed/,
  ],
  ['hangs', stubs.hang, /did not answer within 0\.2 seconds/],
  ['sends its answer byte by byte', stubs.drip, /did not answer within 0\.2 seconds/],
  ['floods', stubs.flood, /sent an answer of more than 1048576 bytes, which was not read/],
];

describe.each(Object.entries(calls))('%s', (_, [configure, call]) => {
  it.each(misbehaviours)('of a provider that %s fails within the limits', async (_, misbehave, words) => {
    stub.on('*', misbehave());
    called.clear();
    // A flood is read as fast as it comes, so that the time is no matter there.
    const timeoutMs = words.source.includes('0\\.2') ? 200 : 10_000;
    const provider = createProvider(settingsOf(configure()), { ...tools, limits: { timeoutMs } });
    const outcome = await call(provider).catch((error: unknown) => error);
    // Validation never throws: what went wrong is in its answer.
    const said =
      outcome instanceof ProviderFailure ? outcome.message : (outcome as { reason: string }).reason;
    expect(said).toMatch(words);
    if (outcome instanceof ProviderFailure) expect(outcome.transient).toBe(true);
    else expect(outcome).toMatchObject({ state: 'unknown' });
    expect(said).not.toMatch(new RegExp(Object.values(secrets).join('|')));

    expect(stub.requests).toHaveLength(1);
    expect(elsewhere.requests).toEqual([]);
    expect([...called]).toEqual([stub.origin]);
  });
});

it('a check of the configuration follows no redirect either, and reads no more than it needs', async () => {
  for (const misbehave of [() => stubs.redirect(`${elsewhere.origin}/catch`), stubs.flood]) {
    stub.on('*', misbehave());
    called.clear();
    const settings = settingsOf(
      generic({
        VALIDATE_URL: `${stub.origin}/check`,
        DEVICE_FLOW: 'true',
        DEVICE_CODE_URL: `${stub.origin}/device`,
      }),
    );
    const checks = await checkProvider(settings, tools);
    expect(checks.map(({ what, outcome }) => [what, outcome])).toEqual([
      ['sign-in page', 'ok'],
      ['client credentials', 'wrong'],
      ['device flow', 'wrong'],
      ['validation', 'wrong'],
      ['revocation', 'skipped'],
    ]);
    expect(elsewhere.requests).toEqual([]);
    expect([...called]).toEqual([stub.origin]);
  }
});
