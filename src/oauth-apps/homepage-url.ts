/** The longest address, in characters. */
const MAX_LENGTH = 2_048;

/** White space and invisible characters hide where a link leads, and browsers take a backslash for a slash. */
const HIDDEN = /[\s\\\p{Cc}\p{Cf}\p{Cs}]/u;

/**
 * Checks the address that users are shown as a link. Any letters are fine; a scheme that runs code is not.
 *
 * @returns what is wrong, and what is accepted; null when nothing is
 */
export function faultOfHomepageUrl(text: string): string | null {
  if (text === '') return 'Homepage URL must not be empty.';
  if (text.length > MAX_LENGTH) return `Homepage URL is too long: at most ${MAX_LENGTH} characters.`;
  if (HIDDEN.test(text)) {
    return 'Homepage URL must not contain white space, backslashes or control characters.';
  }
  if (!/^https?:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) {
    return 'Homepage URL takes an http or https address such as https://example.com.';
  }
  const { username, password } = new URL(text);
  return username === '' && password === ''
    ? null
    : 'Homepage URL must not contain a user name or a password.';
}
