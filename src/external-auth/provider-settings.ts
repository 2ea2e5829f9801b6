import { providerSchema, providerSettingNames, type WrittenSettings } from './provider-schema.ts';
import { type ProviderSource, readSources } from './provider-sources.ts';
import { compilePattern, hostPattern } from './providers/match-pattern.ts';
import { findTies } from './providers/match-provider.ts';
import type { ProviderType } from './providers/provider-type.ts';
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
  /** Nobody said that this provider serves git: it is the pattern of its own host, and gives way to all others. */
  regexIsGuess: boolean;
  appInstallUrl: string | null;
  appInstallationsUrl: string | null;
  /** What the operator set this provider with, such as `EXTERNAL_AUTH_0_*`. */
  source: string;
  /** The settings that were written, such as `AUTH_URL`; everything else is a default or derived. */
  written: string[];
}

export interface ParsedProviders {
  providers: ProviderSettings[];
  /** One sentence for each wrong setting. */
  faults: string[];
}

/** What every authorization request sets itself. */
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
    const { provider, faults: own } = parseProvider(source);
    faults.push(...own);
    if (!provider) continue;
    const other = seen.get(provider.id);
    if (other) {
      faults.push(
        `${source.label('ID')} is "${provider.id}", as ${other} is: every provider needs an id of its own.`,
      );
      continue;
    }
    seen.set(provider.id, source.label('ID'));
    providers.push(provider);
  }
  for (const [a, b] of findTies(providers)) {
    faults.push(
      `${a.source} ("${a.id}") and ${b.source} ("${b.id}") match the same git URLs equally well: set REGEX of one of them to what only it serves.`,
    );
  }
  return { providers, faults };
}

function parseProvider(source: ProviderSource): { provider: ProviderSettings | null; faults: string[] } {
  const { written: s, faults } = readWritten(source);
  const { label } = source;
  const isSet = (setting: string) => source.values[setting] !== undefined;
  const typeName = s.TYPE ?? 'oauth2';
  const meant = providerTypes.flatMap(({ names }) => names).find((name) => name === spelled(typeName));
  if (meant && meant !== typeName) faults.push(`${label('TYPE')} is "${typeName}": write ${meant}.`);
  const type = findProviderType(meant ?? typeName);
  const isGeneric = type === findProviderType('oauth2');

  const id = s.ID ?? s.TYPE;
  if (!isSet('ID') && !isSet('TYPE')) {
    faults.push(`${label('ID')} is required, or TYPE, which it defaults to.`);
  } else if (!isSet('ID') && id !== undefined && !providerSchema.shape.ID.safeParse(id).success) {
    faults.push(`${label('ID')} is required, since TYPE "${id}" cannot serve as an id.`);
  }
  if (!isSet('CLIENT_ID')) faults.push(`${label('CLIENT_ID')} is required.`);
  if (type.requiresSecret && !isSet('CLIENT_SECRET')) {
    faults.push(`${label('CLIENT_SECRET')} is required for ${type.displayName}.`);
  }
  const urls = deriveUrls(s, type);
  if (!isSet('ISSUER') && !isSet('AUTH_URL') && urls.authUrl === null) {
    faults.push(
      isGeneric
        ? `${label('AUTH_URL')} is required, or ISSUER, from which it is discovered.`
        : `${label('AUTH_URL')} is required for ${type.displayName}: it tells where your installation is.`,
    );
  }
  if (!isSet('ISSUER') && !isSet('TOKEN_URL') && urls.tokenUrl === null && (isGeneric || urls.authUrl)) {
    faults.push(`${label('TOKEN_URL')} is required, or ISSUER, from which it is discovered.`);
  }
  if (s.DEVICE_FLOW && !isSet('ISSUER') && !isSet('DEVICE_CODE_URL') && urls.deviceCodeUrl === null) {
    faults.push(`${label('DEVICE_CODE_URL')} is required with DEVICE_FLOW.`);
  }
  const authParams = Object.fromEntries(s.AUTH_PARAMS.map(splitParameter));
  for (const name of Object.keys(authParams).filter((name) => OWN_PARAMETERS.includes(name))) {
    faults.push(`${label('AUTH_PARAMS')} must not set ${name}: every request sets it itself.`);
  }

  const site = urls.authUrl ?? s.ISSUER;
  const gitHost = site === undefined ? null : type.gitHost(new URL(site));
  const { regex, fault } =
    s.REGEX === undefined ? { regex: gitHost && hostPattern(gitHost) } : compilePattern(s.REGEX);
  if (fault) faults.push(`${label('REGEX')} ${fault}.`);

  if (faults.length > 0 || id === undefined || s.CLIENT_ID === undefined) return { provider: null, faults };
  const provider: ProviderSettings = {
    id,
    type: type.names.includes(typeName) ? type.names[0] : typeName,
    displayName: s.DISPLAY_NAME || type.displayName || id,
    displayIcon: s.DISPLAY_ICON ?? type.displayIcon,
    clientId: s.CLIENT_ID,
    clientSecret: s.CLIENT_SECRET,
    tokenAuthMethod: s.TOKEN_AUTH_METHOD ?? type.tokenAuthMethod,
    issuer: s.ISSUER ?? null,
    ...urls,
    scopes: s.SCOPES ?? (isGeneric && s.ISSUER ? ['openid', 'profile'] : type.scopes),
    authParams,
    extraTokenKeys: s.EXTRA_TOKEN_KEYS ?? type.extraTokenKeys ?? [],
    deviceFlow: s.DEVICE_FLOW,
    noRefresh: s.NO_REFRESH,
    pkce: s.PKCE_METHODS ? s.PKCE_METHODS.includes('S256') : type.pkce,
    regex: regex || null,
    regexIsGuess: isGeneric && s.REGEX === undefined,
    appInstallUrl: s.APP_INSTALL_URL ?? null,
    source: source.name,
    written: Object.keys(source.values),
  };
  return { provider, faults };
}

/** What is well-formed, and the faults of the rest: one start shows all of them. */
function readWritten({ values, label }: ProviderSource): { written: WrittenSettings; faults: string[] } {
  const result = providerSchema.safeParse(values);
  if (result.success) return { written: result.data, faults: [] };
  const { issues } = result.error;
  const isFaulty = (setting: string) =>
    !providerSettingNames.includes(setting) || issues.some(({ path }) => path[0] === setting);
  return {
    written: providerSchema.parse(
      Object.fromEntries(Object.entries(values).filter(([setting]) => !isFaulty(setting))),
    ),
    faults: issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `${label(key)} is not a setting of a provider.`)
        : [`${label(String(issue.path[0]))} ${issue.message}.`],
    ),
  };
}

/** The addresses as written, and where nothing is written, as the type has them on this site. */
function deriveUrls(s: WrittenSettings, type: ProviderType) {
  const authUrl = s.AUTH_URL ?? (s.ISSUER ? null : type.authUrl);
  const site =
    authUrl === null
      ? {}
      : type.site({
          authUrl: new URL(authUrl),
          clientId: s.CLIENT_ID ?? '',
          apiBaseUrl: s.API_BASE_URL ?? null,
        });
  return {
    authUrl,
    tokenUrl: s.TOKEN_URL ?? site.tokenUrl ?? null,
    deviceCodeUrl: s.DEVICE_CODE_URL ?? site.deviceCodeUrl ?? null,
    validateUrl: s.VALIDATE_URL ?? site.validateUrl ?? null,
    revokeUrl: s.REVOKE_URL ?? site.revokeUrl ?? null,
    userInfoUrl: s.USERINFO_URL ?? null,
    apiBaseUrl: s.API_BASE_URL ?? site.apiBaseUrl ?? null,
    appInstallationsUrl: s.APP_INSTALLATIONS_URL ?? site.appInstallationsUrl ?? null,
  };
}

/** As the types are: "GitHub" means github, "BITBUCKET_CLOUD" bitbucket-cloud. */
function spelled(typeName: string): string {
  return typeName.toLowerCase().replaceAll(/[_ ]/g, '-');
}

function splitParameter(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
