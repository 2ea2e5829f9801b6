import type { ClientAuth } from 'oauth4webapi';
import type { ProviderSettings, TokenAuthMethod } from '../provider-settings.ts';
import type { Outgoing } from './outgoing.ts';
import type { ExternalAccount, Installation } from './provider.ts';

/** A site's addresses. What is absent, the type does not have, or does not know. */
interface SiteUrls {
  tokenUrl?: string;
  deviceCodeUrl?: string;
  validateUrl?: string;
  revokeUrl?: string;
  apiBaseUrl?: string;
  appInstallationsUrl?: string;
}

/** What a type's own functions have at hand. */
export interface TypeContext {
  settings: ProviderSettings;
  send: Outgoing;
  /**
   * Asks the provider's API on behalf of the token's user.
   *
   * @returns parsed JSON
   * @throws ProviderFailure when the answer is no JSON or its status is not 200
   */
  getJson: (url: string, accessToken: string) => Promise<unknown>;
}

/**
 * One kind of provider: its defaults, and what it does in its own way. Everything absent is done as the standards
 * say. To add one, write a file beside the others and list it in provider-types.ts.
 */
export interface ProviderType {
  /** What TYPE says. The first is the type's name, the others mean the same. */
  names: [string, ...string[]];
  displayName: string;
  displayIcon: string;
  /** Whether PKCE with S256 is used unless PKCE_METHODS says otherwise. */
  pkce: boolean;
  scopes: string[];
  extraTokenKeys?: string[];
  tokenAuthMethod: TokenAuthMethod;
  /** There is no way to get a token without one. */
  requiresSecret?: boolean;
  /** Where the public site asks for consent; null when there is no public site, so that AUTH_URL is required. */
  authUrl: string | null;
  /** The site's other addresses, from the one where it asks for consent. */
  site: (given: { authUrl: URL; clientId: string; apiBaseUrl: string | null }) => SiteUrls;
  /** The host of the git URLs that it serves unless REGEX says otherwise; null for none. */
  gitHost: (authUrl: URL) => string | null;

  authorizationParameters?: (settings: ProviderSettings) => Record<string, string>;
  /** Puts the client's credentials, and whatever else the type wants, into a form and its headers. */
  clientAuth?: (settings: ProviderSettings, redirectUri: string | undefined) => ClientAuth;
  /** Finds the token response in an answer that nests it. */
  unwrapTokenAnswer?: (body: Record<string, unknown>) => Record<string, unknown>;
  /** @throws ProviderFailure */
  revoke?: (
    context: TypeContext,
    tokens: { accessToken: string; refreshToken: string | null },
  ) => Promise<void>;
  account?: (context: TypeContext, accessToken: string) => Promise<ExternalAccount | null>;
  installations?: (context: TypeContext, accessToken: string) => Promise<Installation[]>;
  /** @default the token as user name, no password */
  gitCredentials?: (accessToken: string) => { username: string; password: string };
}

/** The site's root, from the address where it asks for consent: installations may live under a path. */
export function siteRoot(authUrl: URL, path: string): string {
  const suffix = authUrl.pathname.endsWith(path) ? path : authUrl.pathname;
  return authUrl.origin + authUrl.pathname.slice(0, authUrl.pathname.length - suffix.length);
}
