import { z } from 'zod';
import { type ProviderSource, readSources } from './provider-sources.ts';
import { compilePattern, hostPattern } from './providers/match-pattern.ts';
import { findTies } from './providers/match-provider.ts';
import { findProviderType, providerTypes } from './providers/provider-types.ts';

/** How the client proves who it is at the token endpoint. `auto`: HTTP Basic, and the form where that is refused. */
export type TokenAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'auto';

/** One external auth provider, as the operator configured it, with every default filled in. */
export interface ProviderSettings {
  /** 1 to 32 letters, digits and single hyphens; names the provider in every API. */
  id: string;
  /** A preset's name, such as `github`; anything else is generic OAuth 2. */
  type: string;
  displayName: string;
  displayIcon: string;
  clientId: string;
  /** Empty for a public client. */
  clientSecret: string;
  tokenAuthMethod: TokenAuthMethod;
  /** Where the endpoints are discovered (RFC 8414, OpenID Connect Discovery) when they are not given. */
  issuer: string | null;
  authUrl: string | null;
  tokenUrl: string | null;
  deviceCodeUrl: string | null;
  validateUrl: string | null;
  revokeUrl: string | null;
  userInfoUrl: string | null;
  /** The root of the provider's own API, without a trailing slash. */
  apiBaseUrl: string | null;
  scopes: string[];
  /** Further parameters of the authorization request. */
  authParams: Record<string, string>;
  /** Extra fields of the token response to keep. */
  extraTokenKeys: string[];
  deviceFlow: boolean;
  noRefresh: boolean;
  pkce: boolean;
  /** Which git URLs this provider serves: see match-provider.ts. */
  regex: RegExp | null;
  appInstallUrl: string | null;
  appInstallationsUrl: string | null;
  /** What the operator set this provider with, such as `EXTERNAL_AUTH_0_*`. */
  source: string;
}

export interface ParsedProviders {
  providers: ProviderSettings[];
  /** One sentence for each wrong setting. */
  faults: string[];
}

const text = (max: number) =>
  z
    .string('takes text')
    .trim()
    .max(max, `takes at most ${max} characters`)
    .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'must not contain control characters');

/** http is taken too: there are networks without certificates. The address must not carry a password of its own. */
const url = text(2_048)
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    message: 'takes a URL that begins with https:// or http://',
    abort: true,
  })
  .refine(
    (value) => new URL(value).username === '' && new URL(value).password === '',
    'must not carry a user name or password',
  )
  .refine((value) => !value.includes('#'), 'must not carry a fragment (#…)');

const baseUrl = url
  .refine((value) => !value.includes('?'), 'must not carry a query (?…)')
  .transform((value) => value.replace(/\/+$/, ''));

/** As Go's strconv.ParseBool reads them, which Coder uses. */
const flag = z.union(
  [
    z.boolean(),
    z.enum(['1', 't', 'T', 'true', 'TRUE', 'True']).transform(() => true),
    z.enum(['0', 'f', 'F', 'false', 'FALSE', 'False']).transform(() => false),
  ],
  'takes true or false',
);

const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : value),
  z
    .array(
      text(256).regex(/^\S+$/, 'takes words without spaces in them'),
      'takes words separated by spaces, or a list of them',
    )
    .max(100, 'takes at most 100 words'),
);

const schema = z.strictObject({
  ID: text(32)
    .regex(
      /^[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*$/,
      'takes 1 to 32 letters and digits, with single hyphens between them',
    )
    .optional(),
  TYPE: text(64).optional(),
  CLIENT_ID: text(512).min(1).optional(),
  CLIENT_SECRET: z.string('takes text').max(4_096, 'takes at most 4096 characters').default(''),
  TOKEN_AUTH_METHOD: z
    .enum(
      ['client_secret_basic', 'client_secret_post', 'auto'],
      'takes client_secret_basic, client_secret_post or auto',
    )
    .optional(),
  ISSUER: url.refine((value) => !value.includes('?'), 'must not carry a query (?…)').optional(),
  AUTH_URL: url.optional(),
  TOKEN_URL: url.optional(),
  DEVICE_CODE_URL: url.optional(),
  VALIDATE_URL: url.optional(),
  REVOKE_URL: url.optional(),
  USERINFO_URL: url.optional(),
  API_BASE_URL: baseUrl.optional(),
  SCOPES: list.optional(),
  AUTH_PARAMS: list
    .refine(
      (words) => words.every((word) => /^[^=]+=/.test(word)),
      'takes parameters such as prompt=consent, separated by spaces',
    )
    .default([]),
  EXTRA_TOKEN_KEYS: list.optional(),
  DEVICE_FLOW: flag.default(false),
  NO_REFRESH: flag.default(false),
  PKCE_METHODS: list
    .refine(
      (methods) => methods.every((method) => method === 'S256' || method === 'none') && methods.length <= 1,
      'takes S256, or none to go without PKCE (plain protects nobody)',
    )
    .optional(),
  REGEX: text(1_024).optional(),
  DISPLAY_NAME: text(128).optional(),
  DISPLAY_ICON: text(8_192)
    .refine(
      (value) => /^\/(?!\/)|^https?:\/\/|^data:image\//.test(value),
      'takes a URL, a path on this site that begins with /, or a data:image URL',
    )
    .optional(),
  APP_INSTALL_URL: url.optional(),
  APP_INSTALLATIONS_URL: url.optional(),
});

/** What may be set for a provider, as the environment spells it. */
export const providerSettingNames = Object.keys(schema.shape);

/** AUTH_URL and the like must not set what a request sets itself. */
const OWN_PARAMETERS = ['client_id', 'redirect_uri', 'response_type', 'state', 'code_challenge', 'scope'];

/**
 * Reads `EXTERNAL_AUTH_<n>_*`, `CODER_EXTERNAL_AUTH_<n>_*` and `externalAuthProviders:` of the configuration file.
 *
 * @param env the environment without empty values
 * @param document the parsed configuration file, null when there is none
 */
export function parseProviders(env: Record<string, string>, document: unknown): ParsedProviders {
  const { sources, faults } = readSources(env, document, providerSettingNames);
  const providers: ProviderSettings[] = [];
  const seen = new Map<string, string>();
  for (const source of sources) {
    const provider = parseProvider(source, faults);
    if (!provider) continue;
    // Two ids that differ in case only would be one on a case-insensitive reader's screen, and a trap in addresses.
    const key = provider.id.toLowerCase();
    const other = seen.get(key);
    if (other) {
      faults.push(
        `${source.label('ID')} is "${provider.id}", which ${other} has too: every provider needs its own.`,
      );
    } else {
      seen.set(key, source.label('ID'));
      providers.push(provider);
    }
  }
  for (const [a, b] of findTies(providers)) {
    faults.push(
      `${a.source} ("${a.id}") and ${b.source} ("${b.id}") match the same git URLs equally well: set REGEX of one of them to what only it serves.`,
    );
  }
  return { providers, faults };
}

function parseProvider(source: ProviderSource, faults: string[]): ProviderSettings | null {
  const { label } = source;
  const before = faults.length;
  const result = schema.safeParse(source.values);
  if (!result.success) {
    for (const issue of result.error.issues) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) faults.push(`${label(key)} is not a setting of a provider.`);
      } else {
        faults.push(`${label(String(issue.path[0]))} ${issue.message}.`);
      }
    }
  }
  // The rest is judged on what is well-formed, so that one start shows all faults.
  const s = schema.safeParse(
    result.success
      ? source.values
      : Object.fromEntries(
          Object.entries(source.values).filter(
            ([key]) =>
              providerSettingNames.includes(key) && !result.error.issues.some(({ path }) => path[0] === key),
          ),
        ),
  ).data;
  if (!s) return null;
  const isSet = (key: string) => source.values[key] !== undefined;

  const typeName = s.TYPE ?? 'oauth2';
  const type = findProviderType(typeName);
  const known = providerTypes.flatMap(({ names }) => names);
  const meant = known.find(
    (name) => name !== typeName && name === typeName.toLowerCase().replaceAll('_', '-'),
  );
  if (meant) faults.push(`${label('TYPE')} is "${typeName}": write ${meant}.`);

  const id = s.ID ?? s.TYPE;
  if (!isSet('ID') && !isSet('TYPE'))
    faults.push(`${label('ID')} is required, or TYPE, which it defaults to.`);
  if (!isSet('ID') && id !== undefined && !schema.shape.ID.safeParse(id).success) {
    faults.push(`${label('ID')} is required, since TYPE "${id}" cannot serve as an id.`);
  }
  if (!isSet('CLIENT_ID')) faults.push(`${label('CLIENT_ID')} is required.`);
  if (type.requiresSecret && !isSet('CLIENT_SECRET')) {
    faults.push(`${label('CLIENT_SECRET')} is required for ${type.displayName}.`);
  }

  const authUrl = s.AUTH_URL ?? (s.ISSUER ? null : type.authUrl);
  const site =
    authUrl === null
      ? {}
      : type.site({
          authUrl: new URL(authUrl),
          clientId: s.CLIENT_ID ?? '',
          apiBaseUrl: s.API_BASE_URL ?? null,
        });
  const tokenUrl = s.TOKEN_URL ?? site.tokenUrl ?? null;
  if (authUrl === null && !isSet('AUTH_URL') && !isSet('ISSUER')) {
    faults.push(
      type.names[0] === 'oauth2'
        ? `${label('AUTH_URL')} is required, or ISSUER, from which it is discovered.`
        : `${label('AUTH_URL')} is required for ${type.displayName}: it tells where your installation is.`,
    );
  }
  if (tokenUrl === null && !isSet('TOKEN_URL') && !isSet('ISSUER') && authUrl !== null) {
    faults.push(`${label('TOKEN_URL')} is required, or ISSUER, from which it is discovered.`);
  }
  for (const parameter of authUrl ? new URL(authUrl).searchParams.keys() : []) {
    if (OWN_PARAMETERS.includes(parameter) && parameter !== 'scope') {
      faults.push(
        `${label('AUTH_URL')} must not carry the parameter ${parameter}, which every request sets.`,
      );
    }
  }
  const authParams = Object.fromEntries(
    s.AUTH_PARAMS.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
  for (const parameter of Object.keys(authParams)) {
    if (OWN_PARAMETERS.includes(parameter)) {
      faults.push(`${label('AUTH_PARAMS')} must not set ${parameter}, which every request sets.`);
    }
  }
  const deviceCodeUrl = s.DEVICE_CODE_URL ?? site.deviceCodeUrl ?? null;
  if (s.DEVICE_FLOW && deviceCodeUrl === null && !isSet('DEVICE_CODE_URL') && !isSet('ISSUER')) {
    faults.push(`${label('DEVICE_CODE_URL')} is required with DEVICE_FLOW.`);
  }

  const gitHost = authUrl === null ? null : type.gitHost(new URL(authUrl));
  const pattern = s.REGEX ?? (gitHost === null ? null : hostPattern(gitHost));
  const compiled = pattern === null ? null : compilePattern(pattern);
  if (compiled && 'fault' in compiled) faults.push(`${label('REGEX')} ${compiled.fault}.`);

  if (faults.length > before || id === undefined || !s.CLIENT_ID) return null;
  return {
    id,
    type: type.names.includes(typeName) ? type.names[0] : typeName,
    displayName: s.DISPLAY_NAME || type.displayName || id,
    displayIcon: s.DISPLAY_ICON ?? type.displayIcon,
    clientId: s.CLIENT_ID,
    clientSecret: s.CLIENT_SECRET,
    tokenAuthMethod: s.TOKEN_AUTH_METHOD ?? type.tokenAuthMethod,
    issuer: s.ISSUER ?? null,
    authUrl,
    tokenUrl,
    deviceCodeUrl,
    validateUrl: s.VALIDATE_URL ?? site.validateUrl ?? null,
    revokeUrl: s.REVOKE_URL ?? site.revokeUrl ?? null,
    userInfoUrl: s.USERINFO_URL ?? null,
    apiBaseUrl: s.API_BASE_URL ?? site.apiBaseUrl ?? null,
    scopes: s.SCOPES ?? (s.ISSUER && type.scopes.length === 0 ? ['openid', 'profile'] : type.scopes),
    authParams,
    extraTokenKeys: s.EXTRA_TOKEN_KEYS ?? type.extraTokenKeys ?? [],
    deviceFlow: s.DEVICE_FLOW,
    noRefresh: s.NO_REFRESH,
    pkce: s.PKCE_METHODS ? s.PKCE_METHODS.includes('S256') : type.pkce,
    regex: compiled && 'regex' in compiled ? compiled.regex : null,
    appInstallUrl: s.APP_INSTALL_URL ?? null,
    appInstallationsUrl: s.APP_INSTALLATIONS_URL ?? site.appInstallationsUrl ?? null,
    source: source.name,
  };
}
