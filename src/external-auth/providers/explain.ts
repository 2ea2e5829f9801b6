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

/** Whoever asks for more has a clock or a word wrong, and would keep a link from being renewed for good. */
const LONGEST_REST_MS = 60 * 60 * 1_000;

/** A date of RFC 9110 section 5.6.7, in any of its three forms. `Date.parse` takes much else for a date. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d{2}:\d{2}:\d{2}/;

/**
 * How long the provider asks to be left alone.
 *
 * @returns milliseconds, an hour at most; null when absent or in neither form of RFC 9110 section 10.2.3
 */
export function parseRetryAfter(response: Response): number | null {
  const value = response.headers.get('retry-after');
  if (value === null) return null;
  const ms = /^\d+$/.test(value)
    ? Number(value) * 1_000
    : HTTP_DATE.test(value)
      ? Math.max(0, Date.parse(inGmt(value)) - Date.now())
      : Number.NaN;
  return Number.isNaN(ms) ? null : Math.min(ms, LONGEST_REST_MS);
}

/** The form of C's asctime names no zone, and is in GMT like the others. */
function inGmt(date: string): string {
  return /GMT$/.test(date) ? date : `${date} GMT`;
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
