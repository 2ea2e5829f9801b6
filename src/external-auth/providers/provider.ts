import { DomainError } from '../../errors.ts';
import type { ProviderSettings } from '../provider-settings.ts';
import type { OutgoingLimits } from './outgoing-limits.ts';

/** What a provider's token endpoint answered. */
export interface TokenSet {
  accessToken: string;
  /** Null when the answer has none: the caller then keeps the one it has. */
  refreshToken: string | null;
  /** Null when the token never expires. */
  expiresAt: Date | null;
  /** The fields that the provider's `extraTokenKeys` name. */
  extra: Record<string, unknown>;
}

/** The answer to a device authorization request (RFC 8628 section 3.2). */
export interface DeviceGrant {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | null;
  /** Seconds from now. */
  expiresIn: number;
  /** Seconds between two polls. */
  interval: number;
}

/** Whose account a token stands for. */
export interface ExternalAccount {
  /** As the provider names it: a number in digits, or any other text. */
  id: string;
  login: string;
  name: string;
  /** Empty when the provider tells none; otherwise an http or https URL. */
  avatarUrl: string;
  /** Empty when the provider tells none; otherwise an http or https URL. */
  profileUrl: string;
}

/** An app's installation on an account (GitHub). */
export interface Installation {
  id: number;
  account: ExternalAccount;
  configureUrl: string;
}

/** What a provider says of an access token. */
export type Validation =
  | { state: 'valid' }
  /** The provider refused the token. `reason` is for people. */
  | { state: 'invalid'; reason: string }
  /** The provider limits its rate, so the token counts as valid. */
  | { state: 'rate_limited' }
  /** There is no validate URL: nobody asked. */
  | { state: 'not_validated' }
  /** The provider could not be asked. `reason` is for people. */
  | { state: 'unknown'; reason: string };

/**
 * A provider failed us. A `transient` failure may be tried again: the network, a time-out, 5xx, 429, an answer that
 * nobody understands. All others are the provider's word on this grant, or a fault of its configuration.
 */
export class ProviderFailure extends DomainError {
  readonly transient: boolean;
  /** The bare OAuth error code, such as `invalid_grant`, when the provider sent one. */
  readonly oauthError: string | null;
  /** How long the provider asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    {
      transient,
      oauthError = null,
      retryAfterMs = null,
      cause,
    }: { transient: boolean; oauthError?: string | null; retryAfterMs?: number | null; cause?: unknown },
  ) {
    super('PROVIDER_FAILURE', 502, message, { cause });
    this.transient = transient;
    this.oauthError = oauthError;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What the browser brought back is no answer to what we asked: another `state`, or another issuer (RFC 9207). */
export class ForeignAnswer extends ProviderFailure {}

const DEAD_REFRESH_TOKEN = new Set([
  'bad_refresh_token',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_client',
  'incorrect_client_credentials',
]);

/** Whether a refresh failed for good, so that only linking again helps. No other failure may cost a link its token. */
export function isPermanentRefreshFailure(error: unknown): error is ProviderFailure {
  return error instanceof ProviderFailure && DEAD_REFRESH_TOKEN.has(error.oauthError ?? '');
}

/** What a provider can do once its endpoints are known. */
interface Capabilities {
  revocation: boolean;
  validation: boolean;
}

/**
 * How we talk to one configured provider. Everything that a type does in its own way is behind this interface;
 * links, flows and GraphQL know no types. Every method throws ProviderFailure, and only that.
 */
export interface Provider {
  settings: ProviderSettings;
  /** As far as it is known without a call: endpoints that are yet to be discovered do not count. */
  readonly supportsRevocation: boolean;
  /** Discovers the endpoints where that is needed. Never throws: then only what is configured counts. */
  capabilities: () => Promise<Capabilities>;

  /** Where to send the browser. `codeVerifier` is given exactly when `settings.pkce` is on. */
  authorizationUrl: (request: {
    redirectUri: string;
    state: string;
    codeVerifier: string | null;
  }) => Promise<URL>;
  /**
   * @param callback the callback's address with all its parameters; `state` and `iss` are checked
   */
  exchangeCode: (
    callback: URL,
    request: { redirectUri: string; state: string; codeVerifier: string | null },
  ) => Promise<TokenSet>;
  startDevice: () => Promise<DeviceGrant>;
  /** `authorization_pending` and the like come as ProviderFailure with that `oauthError`. */
  pollDevice: (deviceCode: string) => Promise<TokenSet>;
  refresh: (refreshToken: string) => Promise<TokenSet>;
  /** Never throws: what went wrong is in the answer. */
  validate: (accessToken: string) => Promise<Validation>;
  /** Revokes upstream: RFC 7009, the refresh token preferred, or the type's own way. */
  revoke: (tokens: { accessToken: string; refreshToken: string | null }) => Promise<void>;
  /** Null when the provider has no way to tell. */
  account: (accessToken: string) => Promise<ExternalAccount | null>;
  /** Empty when the provider knows no installations. */
  installations: (accessToken: string) => Promise<Installation[]>;
  /** How git sends the token over HTTPS. */
  gitCredentials: (accessToken: string) => { username: string; password: string };
}

/** What a provider's client needs of its surroundings. */
export interface ProviderTools {
  fetch: typeof globalThis.fetch;
  clock: () => Date;
  /** The callback's address, which Azure DevOps wants to hear again with each renewal. */
  redirectUri?: string;
  limits?: Partial<OutgoingLimits>;
}

/** Makes the provider's client. Its endpoints are discovered on first use when an issuer is all that is known. */
export type CreateProvider = (settings: ProviderSettings, tools: ProviderTools) => Provider;
