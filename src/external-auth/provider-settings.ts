/** One external auth provider, as the operator configured it, with every default filled in. */
export interface ProviderSettings {
  /** 1 to 32 letters, digits and single hyphens; names the provider in every API. */
  id: string;
  /** A preset's name, such as `github`; anything else is generic OAuth 2. */
  type: string;
  displayName: string;
  displayIcon: string;
  clientId: string;
  clientSecret: string;
  /** Where the endpoints are discovered (RFC 8414, OpenID Connect Discovery) when they are not given. */
  issuer: string | null;
  authUrl: string | null;
  tokenUrl: string | null;
  deviceCodeUrl: string | null;
  validateUrl: string | null;
  revokeUrl: string | null;
  userInfoUrl: string | null;
  scopes: string[];
  /** Extra fields of the token response to keep. */
  extraTokenKeys: string[];
  deviceFlow: boolean;
  noRefresh: boolean;
  pkce: boolean;
  /** Which git URLs this provider serves. */
  regex: RegExp | null;
  appInstallUrl: string | null;
  appInstallationsUrl: string | null;
}

export interface ParsedProviders {
  providers: ProviderSettings[];
  /** One sentence for each wrong setting. */
  faults: string[];
}

/**
 * Reads `EXTERNAL_AUTH_<n>_*`, `CODER_EXTERNAL_AUTH_<n>_*` and `externalAuthProviders:` of the configuration file.
 *
 * @param env the environment without empty values
 * @param document the parsed configuration file, null when there is none
 */
export function parseProviders(_env: Record<string, string>, _document: unknown): ParsedProviders {
  return { providers: [], faults: [] };
}
