import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { parseConfig } from '../../src/config.ts';
import { providerSettingNames } from '../../src/external-auth/provider-schema.ts';
import { parseProviders } from '../../src/external-auth/provider-settings.ts';

/** Sets provider 0 of the environment. */
function env(settings: Record<string, string>, prefix = 'EXTERNAL_AUTH_0_'): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [prefix + key, value]));
}

function parseOne(settings: Record<string, string>) {
  const { providers, faults } = parseProviders(env(settings), null);
  expect(faults).toEqual([]);
  expect(providers).toHaveLength(1);
  // biome-ignore lint/style/noNonNullAssertion: the line above counted it
  return providers[0]!;
}

const github = { TYPE: 'github', CLIENT_ID: 'abc' };
const plain = {
  ID: 'plain',
  CLIENT_ID: 'abc',
  AUTH_URL: 'https://id.example/authorize',
  TOKEN_URL: 'https://id.example/token',
};

describe('the defaults of a type', () => {
  it('are all there is to say for github.com', () => {
    expect(parseOne({ ...github, CLIENT_SECRET: 'def' })).toEqual({
      id: 'github',
      type: 'github',
      displayName: 'GitHub',
      displayIcon: '/icon/github.svg',
      clientId: 'abc',
      clientSecret: 'def',
      tokenAuthMethod: 'client_secret_post',
      issuer: null,
      authUrl: 'https://github.com/login/oauth/authorize',
      tokenUrl: 'https://github.com/login/oauth/access_token',
      deviceCodeUrl: 'https://github.com/login/device/code',
      validateUrl: 'https://api.github.com/user',
      revokeUrl: 'https://api.github.com/applications/abc/grant',
      userInfoUrl: null,
      apiBaseUrl: 'https://api.github.com',
      scopes: ['repo', 'workflow'],
      authParams: {},
      extraTokenKeys: [],
      deviceFlow: false,
      noRefresh: false,
      pkce: true,
      regex: /^(https?:\/\/)?github\.com(\/.*)?$/,
      regexIsGuess: false,
      appInstallUrl: null,
      appInstallationsUrl: 'https://api.github.com/user/installations',
      source: 'EXTERNAL_AUTH_0_*',
      written: ['TYPE', 'CLIENT_ID', 'CLIENT_SECRET'],
    });
  });

  it.each([
    [
      { TYPE: 'github', AUTH_URL: 'https://ghe.corp/login/oauth/authorize' },
      {
        tokenUrl: 'https://ghe.corp/login/oauth/access_token',
        deviceCodeUrl: 'https://ghe.corp/login/device/code',
        validateUrl: 'https://ghe.corp/api/v3/user',
        revokeUrl: 'https://ghe.corp/api/v3/applications/abc/grant',
        appInstallationsUrl: 'https://ghe.corp/api/v3/user/installations',
        regex: /^(https?:\/\/)?ghe\.corp(\/.*)?$/,
      },
    ],
    [
      { TYPE: 'github', AUTH_URL: 'https://acme.ghe.com/login/oauth/authorize' },
      {
        tokenUrl: 'https://acme.ghe.com/login/oauth/access_token',
        validateUrl: 'https://api.acme.ghe.com/user',
      },
    ],
    [
      {
        TYPE: 'github',
        AUTH_URL: 'https://ghe.corp/login/oauth/authorize',
        API_BASE_URL: 'https://api.ghe.corp/',
      },
      { apiBaseUrl: 'https://api.ghe.corp', validateUrl: 'https://api.ghe.corp/user' },
    ],
    [
      { TYPE: 'gitlab' },
      {
        authUrl: 'https://gitlab.com/oauth/authorize',
        tokenUrl: 'https://gitlab.com/oauth/token',
        validateUrl: 'https://gitlab.com/oauth/token/info',
        revokeUrl: 'https://gitlab.com/oauth/revoke',
        apiBaseUrl: 'https://gitlab.com/api/v4',
        scopes: ['write_repository'],
        pkce: true,
      },
    ],
    [
      { TYPE: 'gitlab', AUTH_URL: 'https://corp.example/gitlab/oauth/authorize' },
      {
        tokenUrl: 'https://corp.example/gitlab/oauth/token',
        revokeUrl: 'https://corp.example/gitlab/oauth/revoke',
        apiBaseUrl: 'https://corp.example/gitlab/api/v4',
        regex: /^(https?:\/\/)?corp\.example(\/.*)?$/,
      },
    ],
    [
      { TYPE: 'bitbucket-cloud' },
      {
        tokenUrl: 'https://bitbucket.org/site/oauth2/access_token',
        validateUrl: 'https://api.bitbucket.org/2.0/user',
        revokeUrl: null,
        scopes: ['account', 'repository:write'],
        pkce: false,
      },
    ],
    [{ TYPE: 'bitbucket' }, { id: 'bitbucket', type: 'bitbucket-cloud' }],
    [
      { TYPE: 'bitbucket-server', AUTH_URL: 'https://bb.corp/rest/oauth2/latest/authorize' },
      {
        tokenUrl: 'https://bb.corp/rest/oauth2/latest/token',
        validateUrl: 'https://bb.corp/rest/api/latest/inbox/pull-requests/count',
        scopes: ['PUBLIC_REPOS', 'REPO_READ', 'REPO_WRITE'],
      },
    ],
    [
      { TYPE: 'azure-devops', CLIENT_SECRET: 'x' },
      {
        authUrl: 'https://app.vssps.visualstudio.com/oauth2/authorize',
        tokenUrl: 'https://app.vssps.visualstudio.com/oauth2/token',
        scopes: ['vso.code_write'],
        regex: /^(https?:\/\/)?dev\.azure\.com(\/.*)?$/,
      },
    ],
    [
      { TYPE: 'azure-devops-entra', AUTH_URL: 'https://login.microsoftonline.com/tenant/oauth2/authorize' },
      {
        tokenUrl: 'https://login.microsoftonline.com/tenant/oauth2/token',
        regex: /^(https?:\/\/)?dev\.azure\.com(\/.*)?$/,
      },
    ],
    [
      { TYPE: 'gitea' },
      {
        tokenUrl: 'https://gitea.com/login/oauth/access_token',
        validateUrl: 'https://gitea.com/login/oauth/userinfo',
        apiBaseUrl: 'https://gitea.com/api/v1',
        scopes: ['read:repository', 'write:repository', 'read:user'],
        pkce: true,
      },
    ],
    [
      { TYPE: 'forgejo', AUTH_URL: 'https://codeberg.org/login/oauth/authorize' },
      { id: 'forgejo', type: 'gitea', tokenUrl: 'https://codeberg.org/login/oauth/access_token' },
    ],
    [
      { TYPE: 'jfrog', AUTH_URL: 'https://art.corp/ui/authorize', CLIENT_SECRET: 'x' },
      {
        tokenUrl: 'https://art.corp/access/api/v1/integrations/abc/token',
        validateUrl: 'https://art.corp/access/api/v1/system/ping',
        scopes: ['applied-permissions/user'],
        regex: null,
        pkce: false,
      },
    ],
    [
      { TYPE: 'slack' },
      {
        tokenUrl: 'https://slack.com/api/oauth.v2.access',
        revokeUrl: 'https://slack.com/api/auth.revoke',
        extraTokenKeys: ['authed_user'],
        regex: null,
      },
    ],
    [
      { TYPE: 'keycloak', ISSUER: 'https://id.corp/realms/dev' },
      {
        issuer: 'https://id.corp/realms/dev',
        authUrl: null,
        tokenUrl: null,
        scopes: ['openid', 'profile'],
        pkce: true,
      },
    ],
    [
      plain,
      { type: 'oauth2', displayName: 'plain', scopes: [], pkce: true, issuer: null, regexIsGuess: true },
    ],
  ])('%o', (settings, expected) => {
    expect(parseOne({ CLIENT_ID: 'abc', ...settings })).toMatchObject(expected);
  });

  it('give way to what is configured', () => {
    expect(
      parseOne({
        ...github,
        ID: 'work',
        TOKEN_URL: 'https://proxy.corp/token',
        SCOPES: '  repo   read:org ',
        EXTRA_TOKEN_KEYS: 'team',
        PKCE_METHODS: 'none',
        NO_REFRESH: 'T',
        DEVICE_FLOW: '1',
        DISPLAY_NAME: 'Work',
        DISPLAY_ICON: '/icon/work.svg',
        REGEX: '(?i)github\\.com/acme',
        AUTH_PARAMS: 'prompt=consent login_hint=a=b',
        APP_INSTALL_URL: 'https://github.com/apps/work/installations/new',
      }),
    ).toMatchObject({
      id: 'work',
      tokenUrl: 'https://proxy.corp/token',
      deviceCodeUrl: 'https://github.com/login/device/code',
      scopes: ['repo', 'read:org'],
      extraTokenKeys: ['team'],
      pkce: false,
      noRefresh: true,
      deviceFlow: true,
      displayName: 'Work',
      displayIcon: '/icon/work.svg',
      regex: /github\.com\/acme/i,
      authParams: { prompt: 'consent', login_hint: 'a=b' },
      appInstallUrl: 'https://github.com/apps/work/installations/new',
    });
  });
});

describe('a wrong setting', () => {
  it.each<[Record<string, string>, string]>([
    [{ ...plain, ID: '' }, 'EXTERNAL_AUTH_0_ID is required, or TYPE, which it defaults to.'],
    [
      { TYPE: 'my own', ...plain, ID: '' },
      'EXTERNAL_AUTH_0_ID is required, since TYPE "my own" cannot serve as an id.',
    ],
    [{ TYPE: 'github' }, 'EXTERNAL_AUTH_0_CLIENT_ID is required.'],
    [
      { ...github, ID: 'a--b' },
      'EXTERNAL_AUTH_0_ID takes 1 to 32 letters and digits, with single hyphens between them.',
    ],
    [{ ...github, ID: 'x'.repeat(33) }, 'EXTERNAL_AUTH_0_ID takes at most 32 characters.'],
    [{ ...github, TYPE: 'GitHub', ID: 'g' }, 'EXTERNAL_AUTH_0_TYPE is "GitHub": write github.'],
    [
      { ...plain, AUTH_URL: '' },
      'EXTERNAL_AUTH_0_AUTH_URL is required, or ISSUER, from which it is discovered.',
    ],
    [
      { ...plain, TOKEN_URL: '' },
      'EXTERNAL_AUTH_0_TOKEN_URL is required, or ISSUER, from which it is discovered.',
    ],
    [
      { TYPE: 'bitbucket-server', CLIENT_ID: 'x' },
      'EXTERNAL_AUTH_0_AUTH_URL is required for Bitbucket Server: it tells where your installation is.',
    ],
    [
      { TYPE: 'jfrog', CLIENT_ID: 'x', AUTH_URL: 'https://art.corp/ui' },
      'EXTERNAL_AUTH_0_CLIENT_SECRET is required for JFrog Artifactory.',
    ],
    [{ ...plain, DEVICE_FLOW: 'true' }, 'EXTERNAL_AUTH_0_DEVICE_CODE_URL is required with DEVICE_FLOW.'],
    [{ ...github, DEVICE_FLOW: 'yes' }, 'EXTERNAL_AUTH_0_DEVICE_FLOW takes true or false.'],
    [
      { ...github, TOKEN_URL: 'github.com/token' },
      'EXTERNAL_AUTH_0_TOKEN_URL takes a URL that begins with https:// or http://.',
    ],
    [
      { ...github, TOKEN_URL: 'file:///etc/passwd' },
      'EXTERNAL_AUTH_0_TOKEN_URL takes a URL that begins with https:// or http://.',
    ],
    [
      { ...github, AUTH_URL: 'https://a:b@ghe.corp/' },
      'EXTERNAL_AUTH_0_AUTH_URL must not carry a user name or password.',
    ],
    [
      { ...github, AUTH_URL: 'https://ghe.corp/#x' },
      'EXTERNAL_AUTH_0_AUTH_URL must not carry a fragment (#…).',
    ],
    [
      { ...github, API_BASE_URL: 'https://ghe.corp/?x' },
      'EXTERNAL_AUTH_0_API_BASE_URL must not carry a query (?…).',
    ],
    [{ ...github, CLIENT_ID: 'a\u0007b' }, 'EXTERNAL_AUTH_0_CLIENT_ID must not contain control characters.'],
    [
      { ...github, PKCE_METHODS: 'plain' },
      'EXTERNAL_AUTH_0_PKCE_METHODS takes S256, or none to go without PKCE (plain protects nobody).',
    ],
    [
      { ...github, AUTH_PARAMS: 'prompt' },
      'EXTERNAL_AUTH_0_AUTH_PARAMS takes parameters such as prompt=consent, separated by spaces.',
    ],
    [
      { ...github, AUTH_PARAMS: 'state=1' },
      'EXTERNAL_AUTH_0_AUTH_PARAMS must not set state: every request sets it itself.',
    ],
    [
      { ...github, DISPLAY_ICON: 'javascript:alert(1)' },
      'EXTERNAL_AUTH_0_DISPLAY_ICON takes a URL, a path on this site that begins with /, or a data:image URL.',
    ],
    [
      { ...github, TOKEN_AUTH_METHOD: 'jwt' },
      'EXTERNAL_AUTH_0_TOKEN_AUTH_METHOD takes client_secret_basic, client_secret_post or auto.',
    ],
    [
      { ...github, REGEX: '^(a+)+$' },
      'EXTERNAL_AUTH_0_REGEX takes too long on some input: repeat no part that itself repeats, as in (a+)+.',
    ],
    [{ ...github, CLIENTID: 'x' }, 'EXTERNAL_AUTH_0_CLIENTID is not a setting of a provider.'],
  ])('%o', (settings, fault) => {
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== ''));
    expect(parseProviders(env(given), null)).toEqual({ providers: [], faults: [fault] });
  });

  it('is named with all the others, of all providers, in one go', () => {
    const { faults } = parseProviders(
      {
        ...env({ TYPE: 'github', AUTH_URL: 'nowhere', SCOPE: 'repo' }),
        ...env({ TYPE: 'gitlab', CLIENT_ID: 'x', NO_REFRESH: 'perhaps' }, 'EXTERNAL_AUTH_10_'),
        EXTERNAL_AUTH_GITHUB_CLIENT_ID: 'x',
      },
      { externalAuthProviders: [{ type: 'gitea' }, 'github'], providers: [] },
    );
    expect(faults).toEqual([
      'EXTERNAL_AUTH_GITHUB_CLIENT_ID has no number: write EXTERNAL_AUTH_0_CLIENT_ID.',
      'providers is not a setting of the configuration file: it takes externalAuthProviders.',
      'externalAuthProviders[1] takes a mapping of settings, such as "type: github".',
      'EXTERNAL_AUTH_0_AUTH_URL takes a URL that begins with https:// or http://.',
      'EXTERNAL_AUTH_0_SCOPE is not a setting of a provider.',
      'EXTERNAL_AUTH_0_CLIENT_ID is required.',
      'EXTERNAL_AUTH_10_NO_REFRESH takes true or false.',
      'externalAuthProviders[0].client_id is required.',
    ]);
  });

  it('stops the start with its name', () => {
    expect(() => parseConfig(env({ TYPE: 'github' }))).toThrow('EXTERNAL_AUTH_0_CLIENT_ID is required.');
  });

  it('never shows a secret', () => {
    const secret = 'canary-of-the-client-secret';
    const { faults } = parseProviders(env({ ...plain, TOKEN_URL: 'x', CLIENT_SECRET: secret }), null);
    expect(faults.join()).not.toContain(secret);
  });
});

describe('where providers come from', () => {
  it('is an environment, in the order of its numbers', () => {
    // Sorted as text, 10 comes before 2: the defect of the product that these names are from.
    const twelve = Object.assign(
      {},
      ...Array.from({ length: 12 }, (_, n) =>
        env({ ...plain, ID: `p${n}` }, `CODER_EXTERNAL_AUTH_${11 - n}_`),
      ),
    );
    const { providers, faults } = parseProviders(twelve, null);
    expect(faults).toEqual([]);
    expect(providers.map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, n) => `p${11 - n}`));
  });

  it('is an environment written for Coder, unchanged', () => {
    const { providers, faults } = parseProviders(
      {
        CODER_EXTERNAL_AUTH_0_ID: 'primary-github',
        CODER_EXTERNAL_AUTH_0_TYPE: 'github',
        CODER_EXTERNAL_AUTH_0_CLIENT_ID: 'Iv1.0123456789abcdef',
        CODER_EXTERNAL_AUTH_0_CLIENT_SECRET: 'secret',
        CODER_EXTERNAL_AUTH_0_REGEX: 'github\\.com/org',
        CODER_EXTERNAL_AUTH_0_DEVICE_FLOW: 'true',
        CODER_EXTERNAL_AUTH_0_APP_INSTALL_URL: 'https://github.com/apps/x/installations/new',
        CODER_EXTERNAL_AUTH_0_MCP_URL: 'https://api.githubcopilot.com/mcp/',
        CODER_EXTERNAL_AUTH_1_ID: 'secondary-github',
        CODER_EXTERNAL_AUTH_1_TYPE: 'github',
        CODER_EXTERNAL_AUTH_1_CLIENT_ID: 'Iv1.fedcba9876543210',
        CODER_EXTERNAL_AUTH_1_CLIENT_SECRET: 'secret',
        CODER_EXTERNAL_AUTH_1_REGEX: '^(https?://)?example\\.com(/.*)?$',
        CODER_EXTERNAL_AUTH_1_AUTH_URL: 'https://github.example.com/login/oauth/authorize',
        CODER_EXTERNAL_AUTH_1_TOKEN_URL: 'https://github.example.com/login/oauth/access_token',
        CODER_EXTERNAL_AUTH_1_VALIDATE_URL: 'https://github.example.com/api/v3/user',
        CODER_EXTERNAL_AUTH_GITHUB_DEFAULT_PROVIDER_ENABLE: 'false',
      },
      null,
    );
    expect(faults).toEqual([]);
    expect(providers.map(({ id, deviceFlow }) => [id, deviceFlow])).toEqual([
      ['primary-github', true],
      ['secondary-github', false],
    ]);
  });

  it('is a configuration file', () => {
    const document = parseYaml(`
externalAuthProviders:
  - type: github
    client_id: abc
    client_secret: def
    scopes: [repo, 'read:org']
    device_flow: true
    code_challenge_methods_supported: [S256]
  - id: corp
    issuer: https://id.corp
    client_id: abc
    scopes: openid email
    display_name: null
`);
    const { providers, faults } = parseProviders({}, document);
    expect(faults).toEqual([]);
    expect(providers).toMatchObject([
      {
        id: 'github',
        scopes: ['repo', 'read:org'],
        deviceFlow: true,
        pkce: true,
        source: 'externalAuthProviders[0]',
      },
      { id: 'corp', scopes: ['openid', 'email'], displayName: 'corp' },
    ]);
  });

  it('is all of them, and an id is taken once', () => {
    const { faults } = parseProviders(
      { ...env(github), ...env({ ...github, REGEX: 'github\\.com/b' }, 'CODER_EXTERNAL_AUTH_3_') },
      { externalAuthProviders: [{ type: 'github', client_id: 'c', regex: 'github\\.com/c' }] },
    );
    expect(faults).toEqual([
      'CODER_EXTERNAL_AUTH_3_ID is "github", as EXTERNAL_AUTH_0_ID is: every provider needs an id of its own.',
      'externalAuthProviders[0].id is "github", as EXTERNAL_AUTH_0_ID is: every provider needs an id of its own.',
    ]);
  });

  it.each([
    [
      { externalAuthProviders: [{ type: 'github', client_id: 12345 }] },
      'externalAuthProviders[0].client_id takes text.',
    ],
    [
      { externalAuthProviders: [{ type: 'github', clientId: 'x' }] },
      'externalAuthProviders[0].clientId is not a setting of a provider.',
    ],
    [
      { externalAuthProviders: [{ type: 'github', client_id: 'x', scopes: [1] }] },
      'externalAuthProviders[0].scopes takes text.',
    ],
    [{ externalAuthProviders: { github: {} } }, 'externalAuthProviders takes a list.'],
    ['text', 'The configuration file must hold a mapping, such as "externalAuthProviders:" with a list.'],
  ])('is no file such as %o', (document, fault) => {
    expect(parseProviders({}, document).faults).toContain(fault);
  });

  it('may be nowhere', () => {
    expect(parseProviders({}, null)).toEqual({ providers: [], faults: [] });
    expect(parseProviders({}, { externalAuthProviders: null })).toEqual({ providers: [], faults: [] });
  });
});

describe('providers that match the same URLs', () => {
  it('are named', () => {
    const { faults } = parseProviders(
      { ...env({ ...github, ID: 'a' }), ...env({ ...github, ID: 'b' }, 'EXTERNAL_AUTH_1_') },
      null,
    );
    expect(faults).toEqual([
      'EXTERNAL_AUTH_0_* ("a") and EXTERNAL_AUTH_1_* ("b") match the same git URLs equally well: set REGEX of one of them to what only it serves.',
    ]);
  });

  it('are no fault where nobody said that they serve git', () => {
    const { faults } = parseProviders(
      { ...env(plain), ...env({ ...plain, ID: 'b' }, 'EXTERNAL_AUTH_1_') },
      null,
    );
    expect(faults).toEqual([]);
  });
});

describe('any input at all', () => {
  const name = fc.constantFrom(...providerSettingNames, 'FOO', '__proto__', 'constructor');

  it('gives providers or faults, and never throws', () => {
    const setting = fc.tuple(
      fc.constantFrom('EXTERNAL_AUTH_', 'CODER_EXTERNAL_AUTH_'),
      fc.constantFrom('0', '1', '10', '01', 'x', ''),
      name,
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.webUrl(),
        fc.constantFrom('true', 'github', 'gitlab', 'jfrog', 'slack', '^(https?://)?x', 'S256'),
      ),
    );
    fc.assert(
      fc.property(fc.array(setting, { maxLength: 12 }), (settings) => {
        const { providers, faults } = parseProviders(
          Object.fromEntries(settings.map(([prefix, n, key, value]) => [`${prefix}${n}_${key}`, value])),
          null,
        );
        for (const fault of faults) expect(fault).toMatch(/^(CODER_)?EXTERNAL_AUTH_.* .*\.$/s);
        for (const provider of providers) {
          expect(provider.id).toMatch(/^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);
          expect(provider.clientId).not.toBe('');
          expect(provider.issuer ?? provider.authUrl).not.toBeNull();
        }
      }),
    );
  });

  it('means the same in a file as in the environment', () => {
    const value = fc.oneof(
      fc.string({ minLength: 1, maxLength: 40 }),
      fc.webUrl(),
      fc.constantFrom('true', 'github'),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...providerSettingNames), value, { maxKeys: 8 }),
        (settings) => {
          const fromEnv = parseProviders(env(settings), null);
          const inFile = Object.fromEntries(
            Object.entries(settings).map(([key, text]) => [key.toLowerCase(), text]),
          );
          const fromFile = parseProviders({}, { externalAuthProviders: [inFile] });
          if (Object.keys(settings).length === 0) return;
          const withoutSource = (list: object[]) => list.map((entry) => ({ ...entry, source: '' }));
          expect(withoutSource(fromFile.providers)).toEqual(withoutSource(fromEnv.providers));
          expect(fromFile.faults).toHaveLength(fromEnv.faults.length);
        },
      ),
    );
  });
});
