import type { Config } from '../config.ts';
import { DomainError } from '../errors.ts';

export class CrossSiteRequest extends DomainError {
  constructor() {
    super(
      'CROSS_SITE_REQUEST',
      403,
      'This request carries a cookie alone, and does not come from a page of this server. Send the token in a header, such as "Authorization: Bearer <token>", or the page\'s "Origin".',
    );
  }
}

/** By RFC 9110 section 9.2.1 these change nothing, and here they do not. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses a request that another site may have made a browser send (CSRF). To be asked whenever a cookie alone
 * speaks for the user, and where a session begins. Together with this, bodies have to be JSON, which a form cannot
 * send, and the cookie is SameSite=Lax.
 *
 * Browsers say where a request comes from: in `Sec-Fetch-Site` on https and localhost, and in `Origin` with every
 * request that is not safe. One that says neither comes from no browser of these years, and can send a header.
 *
 * @throws CrossSiteRequest
 */
export function requireSameOrigin({ method, url, headers }: Request, { http }: Config): void {
  if (SAFE_METHODS.has(method)) return;
  // "same-site" is not enough: another host of the same domain may be somebody else's.
  if (headers.get('sec-fetch-site') === 'same-origin') return;
  const origin = headers.get('origin');
  if (origin && [http.publicUrl, new URL(url).origin, ...http.corsOrigins].includes(origin)) return;
  throw new CrossSiteRequest();
}
