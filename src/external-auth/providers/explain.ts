import * as oauth from 'oauth4webapi';
import { ProviderFailure } from './provider.ts';

/** OAuth error codes that say "not now" rather than "no". */
const NOT_NOW = new Set(['authorization_pending', 'slow_down', 'temporarily_unavailable', 'server_error']);

/** What the provider said no to, in words that fit after its name: "refused the sign-in". */
export type Deed = string;

/**
 * Turns whatever went wrong in an OAuth exchange into a ProviderFailure in words for users.
 *
 * @param response what the provider answered, when it did
 * @param secrets are taken out of what the provider wrote
 */
export function explainFailure(
  error: unknown,
  { name, deed, response, secrets }: { name: string; deed: Deed; response?: Response; secrets: string[] },
): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  const retryAfterMs = response ? parseRetryAfter(response) : null;

  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    const code = cutText(error.error, secrets, 100);
    const description = error.error_description ? ` (${cutText(error.error_description, secrets, 200)})` : '';
    const transient = NOT_NOW.has(code) || isBadMoment(response);
    return new ProviderFailure(`${name} ${deed}: ${code}${description}.`, {
      transient,
      oauthError: code,
      retryAfterMs,
    });
  }
  if (response && isBadMoment(response)) {
    return new ProviderFailure(
      response.status === 429
        ? `${name} limits how often it may be asked (status 429). Try again later.`
        : `${name} has a fault of its own (status ${response.status}). Try again later.`,
      { transient: true, retryAfterMs },
    );
  }
  if (response && !response.ok) {
    // No OAuth error code, so it is nobody's word on the grant: a proxy, a firewall, a wrong address.
    return new ProviderFailure(
      `${name} answered with status ${response.status} and no reason. Its administrator should check the provider's URLs.`,
      { transient: true, retryAfterMs, cause: error },
    );
  }
  return new ProviderFailure(`${name} sent an answer that does not follow OAuth 2.`, {
    transient: true,
    // oauth4webapi puts bodies, which hold tokens, into its errors: only its words are kept.
    cause: new Error(error instanceof Error ? error.message : String(error)),
  });
}

export function isBadMoment(response: Response | undefined): boolean {
  return response !== undefined && (response.status >= 500 || response.status === 429);
}

/** In milliseconds; null when absent or in neither form of RFC 9110 section 10.2.3. */
export function parseRetryAfter(response: Response): number | null {
  const value = response.headers.get('retry-after');
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

/** A provider's text made fit to show: one line, cut, without control characters and without our secrets. */
export function cutText(text: string, secrets: string[], max: number): string {
  let clean = text.toWellFormed();
  for (const secret of secrets) {
    if (secret.length >= 6) clean = clean.replaceAll(secret, '…');
  }
  clean = clean.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return clean.length > max ? `${clean.slice(0, max).toWellFormed()}…` : clean;
}
