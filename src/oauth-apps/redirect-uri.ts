/** How many redirect URIs an app may have. */
const MAX_URIS = 20;

/** The longest one, in characters: what every browser and proxy passes on. */
const MAX_LENGTH = 2_048;

/** All characters that a URI may hold (RFC 3986 section 2). Others make parsers disagree about where it leads. */
const URI_CHARACTERS = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]*$/;

/** The part of a URI with user, host and port, as RFC 3986 appendix B reads it. */
const AUTHORITY = /^[^:/?#]+:\/\/([^/?#]*)/;

/**
 * A scheme of a native app's own: a domain name in reverse (RFC 8252 section 7.1), and a path behind it. Without the
 * slash, `example.com:8080/callback` would pass for one.
 */
const PRIVATE_USE = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:\//i;

/** One fault of a list of redirect URIs. */
interface RedirectUriFault {
  /** Which of them; null for the list as a whole. */
  index: number | null;
  message: string;
}

/** @returns what is wrong with an app's redirect URIs, and what is accepted; empty when nothing is */
export function faultsOfRedirectUris(uris: string[]): RedirectUriFault[] {
  if (uris.length < 1 || uris.length > MAX_URIS) {
    return [{ index: null, message: `An app takes 1 to ${MAX_URIS} redirect URIs, and not ${uris.length}.` }];
  }
  return uris.flatMap((uri, index) => {
    const message =
      uris.indexOf(uri) < index ? 'Redirect URI is in the list twice.' : faultOfRedirectUri(uri);
    return message === null ? [] : [{ index, message }];
  });
}

/**
 * Checks where users may be sent with an authorization code. Later requests are compared with it character by
 * character (RFC 9700 section 2.1), so it is kept as it was written, and must mean the same to every parser.
 *
 * RFC 9700 section 2.6 wants https, and http on the loopback interface only. Clients of the documented API register
 * http addresses within their own networks, too, so these are accepted.
 *
 * @returns what is wrong, and what is accepted; null when nothing is
 */
export function faultOfRedirectUri(text: string): string | null {
  if (text === '') return 'Redirect URI must not be empty.';
  if (text.length > MAX_LENGTH) return `Redirect URI is too long: at most ${MAX_LENGTH} characters.`;
  if (!URI_CHARACTERS.test(text) || /%(?![0-9A-F]{2})/i.test(text)) {
    return 'Redirect URI takes the characters of RFC 3986 only: write white space as %20, and a host in other letters as xn--….';
  }
  const isWeb = /^https?:/i.test(text);
  const authority = AUTHORITY.exec(text)?.[1] ?? '';
  if (!(isWeb ? authority !== '' : PRIVATE_USE.test(text)) || !URL.canParse(text)) {
    return 'Redirect URI takes an absolute URL such as https://example.com/callback; for a standalone app also com.example.app:/callback.';
  }
  if (text.includes('#')) return 'Redirect URI must not have a fragment.';
  if (authority.includes('@')) return 'Redirect URI must not contain a user name or a password.';
  if (authority.includes('*')) return 'Redirect URI takes no wildcards: it is compared exactly.';
  // A browser takes 0x7f.1 and %6cocalhost for other hosts than they seem to be.
  const { host, hostname } = new URL(text);
  if (isWeb && authority.replace(/:\d*$/, '').toLowerCase() !== hostname) {
    return `Redirect URI must name its host as ${host}.`;
  }
  return null;
}

/** Whether a redirect URI has a scheme of a native app's own. */
export function isPrivateUse(uri: string): boolean {
  return PRIVATE_USE.test(uri);
}
