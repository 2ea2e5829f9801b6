/**
 * Whether a browser comes from one of our own pages, or a page of an origin that the operator trusts.
 *
 * It guards tickets. Whoever opens one links their account at the provider to the Gatehouse user of the ticket. An
 * attacker can make a ticket of their own and lure somebody else to open it: from then on the attacker's user has
 * the victim's account. No page can make a browser claim to come from another origin, so that a ticket which is
 * opened from a trusted page is taken as meant; otherwise the person is asked.
 *
 * @param trusted origins
 */
export function comesFromTrustedPage(headers: Headers, trusted: readonly string[]): boolean {
  // Also after redirects, a browser says so only if every step was of this origin.
  if (headers.get('sec-fetch-site') === 'same-origin') return true;
  const origin = headers.get('origin');
  if (origin !== null) return trusted.includes(origin);
  const referrer = headers.get('referer');
  return referrer !== null && URL.canParse(referrer) && trusted.includes(new URL(referrer).origin);
}
