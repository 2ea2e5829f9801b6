import { cutText } from './explain.ts';
import type { Outgoing } from './outgoing.ts';
import type { Validation } from './provider.ts';

/**
 * Asks the provider whether it still takes a token.
 *
 * @throws ProviderFailure when there is no answer
 */
export async function validateToken(
  send: Outgoing,
  name: string,
  url: string,
  accessToken: string,
): Promise<Validation> {
  const response = await send(url, {
    headers: { accept: 'application/json', authorization: `Bearer ${accessToken}` },
  });
  if (response.status === 200) return { state: 'valid' };
  if (isRateLimit(response)) return { state: 'rate_limited' };
  if (response.status === 401 || response.status === 403) {
    return {
      state: 'invalid',
      reason: `${name} no longer accepts the token (status ${response.status}). Link the account again.`,
    };
  }
  const body = cutText(await response.text(), [accessToken], 200);
  return {
    state: 'unknown',
    reason: `${name} could not check the token: status ${response.status}: body: ${body || '(empty)'}`,
  };
}

/** GitHub limits with 403 as well, and says so in a header. */
export function isRateLimit(response: Response): boolean {
  return (
    response.status === 429 ||
    (response.status === 403 &&
      (response.headers.has('retry-after') || response.headers.get('x-ratelimit-remaining') === '0'))
  );
}
