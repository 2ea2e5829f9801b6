import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultOfHomepageUrl } from '../../src/oauth-apps/homepage-url.ts';
import { faultOfRedirectUri, faultsOfRedirectUris, isPrivateUse } from '../../src/oauth-apps/redirect-uri.ts';

const ABSOLUTE = /^Redirect URI takes an absolute URL such as https:/;
const CHARACTERS = /^Redirect URI takes the characters of RFC 3986 only/;
const CREDENTIALS = /must not contain a user name or a password\.$/;

describe('a redirect URI', () => {
  it.each([
    'https://example.com',
    'https://example.com/',
    'https://example.com/callback?tenant=1&next=%2Fhome',
    'https://EXAMPLE.com/Callback',
    'https://example.com:8443/callback',
    'https://example.com:443/callback',
    'https://example.com:/callback',
    'https://sub.example.co.uk/a/../b;v=1,2',
    'https://xn--e1afmkfd.xn--p1ai/callback',
    'https://gitflic.ru/settings/oauth/create',
    'http://intranet/callback',
    'http://10.0.0.7:8080/callback',
    'http://localhost:3000/callback',
    'http://127.0.0.1/callback',
    'http://[::1]:3000/callback',
    'com.example.app:/oauth2redirect',
    'com.example.app://oauth2redirect',
    'Com.Example.App:/callback',
    `https://example.com/${'x'.repeat(2_028)}`,
  ])('is taken: %s', (uri) => {
    expect(faultOfRedirectUri(uri)).toBeNull();
  });

  it.each([
    ['empty', '', /must not be empty\.$/],
    ['too long', `https://example.com/${'x'.repeat(2_029)}`, /at most 2048 characters\.$/],
    ['a word', 'nowhere', ABSOLUTE],
    ['a path', '/callback', ABSOLUTE],
    ['relative to a scheme', '//example.com/callback', ABSOLUTE],
    ['without a scheme', 'example.com/callback', ABSOLUTE],
    ['without a scheme, with a port', 'example.com:8080/callback', ABSOLUTE],
    ['localhost without a scheme', 'localhost:8080/callback', ABSOLUTE],
    ['without a host', 'https://', ABSOLUTE],
    ['without a host, with a path', 'https:///callback', ABSOLUTE],
    ['a query without a host', 'https://?a=b', ABSOLUTE],
    ['of one slash', 'https:/example.com', ABSOLUTE],
    ['of no slash', 'https:example.com', ABSOLUTE],
    ['a script', 'javascript:alert(1)', ABSOLUTE],
    ['a script like an address', 'javascript://example.com/%0aalert(1)', ABSOLUTE],
    ['data', 'data:text/html,hello', ABSOLUTE],
    ['a file', 'file:///etc/passwd', ABSOLUTE],
    ['a blob', 'blob:https://example.com/1', ABSOLUTE],
    ['a mailbox', 'mailto:ada@example.com', ABSOLUTE],
    ['out of band', 'urn:ietf:wg:oauth:2.0:oob', ABSOLUTE],
    ['of a scheme without a dot', 'myapp:/callback', ABSOLUTE],
    ['of another protocol', 'ftp://example.com/', ABSOLUTE],
    ['of a port that does not exist', 'https://example.com:99999/', ABSOLUTE],
    ['with a fragment', 'https://example.com/#home', /must not have a fragment\.$/],
    ['with an empty fragment', 'https://example.com/#', /must not have a fragment\.$/],
    ['with a user', 'https://ada@example.com/', CREDENTIALS],
    ['with a password', 'https://ada:secret@example.com/', CREDENTIALS],
    ['with an empty user', 'https://@example.com/', CREDENTIALS],
    ['that hides its host', 'https://example.com:x@evil.test/', CREDENTIALS],
    ['of its own scheme, with a user', 'com.example.app://ada@host/', CREDENTIALS],
    ['with a wildcard', 'https://*.example.com/', /takes no wildcards/],
    ['with a space', 'https://example.com/a b', CHARACTERS],
    ['with a space in front', ' https://example.com/', CHARACTERS],
    ['with a line break', 'https://example.com/\nSet-Cookie: a=b', CHARACTERS],
    ['with a tab that parsers drop', 'https://exam\tple.com/', CHARACTERS],
    ['with a NUL', 'https://example.com/\0', CHARACTERS],
    ['with a backslash', 'https://example.com\\@evil.test/', CHARACTERS],
    ['with angle brackets', 'https://example.com/<script>', CHARACTERS],
    ['in other letters', 'https://пример.рф/callback', CHARACTERS],
    ['with letters that look like others', 'https://exаmple.com/', CHARACTERS],
    ['with half a character', 'https://example.com/\ud800', CHARACTERS],
    ['with a broken escape', 'https://example.com/%zz', CHARACTERS],
    ['with an escape in its host', 'https://%65xample.com/', /must name its host as example\.com\.$/],
    ['with a number for a host', 'http://2130706433/', /must name its host as 127\.0\.0\.1\.$/],
    ['with a host in hexadecimal', 'http://0x7f.1:80/', /must name its host as 127\.0\.0\.1\.$/],
    ['with a host in octal', 'http://0177.0.0.1/', /must name its host as 127\.0\.0\.1\.$/],
    ['with a long IPv6 host', 'http://[0:0::1]:3000/', /must name its host as \[::1\]:3000\.$/],
  ])('is refused: %s', (_what, uri, message) => {
    expect(faultOfRedirectUri(uri)).toMatch(message);
  });

  const part = fc.stringMatching(/^[a-z0-9._~-]{1,12}$/);
  const nearUri = fc
    .tuple(
      fc.constantFrom('https', 'http', 'HTTPS', 'com.example.app', 'javascript', 'data', 'file', 'myapp', ''),
      fc.constantFrom('://', ':/', ':', ':///', '//', ''),
      fc.constantFrom('', 'ada@', 'ada:secret@', '@'),
      fc.oneof(
        fc.domain(),
        fc.ipV4Extended(),
        fc.ipV6().map((ip) => `[${ip}]`),
        part,
        fc.constant(''),
      ),
      fc.constantFrom('', ':', ':443', ':8080', ':99999', ':x'),
      fc.oneof(fc.webPath(), fc.string({ unit: 'binary', maxLength: 8 })),
      fc.oneof(
        fc.constant(''),
        fc.webQueryParameters().map((query) => `?${query}`),
        fc.constant('#x'),
      ),
    )
    .map((parts) => parts.join(''));

  it('that is taken means the same to every parser, and nothing dangerous to any', () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: nearUri }, fc.string({ unit: 'binary' })), (text) => {
        if (faultOfRedirectUri(text) !== null) return;
        const url = new URL(text);
        expect(text).toMatch(/^[\x21-\x7e]+$/);
        expect([url.hash, url.username, url.password]).toEqual(['', '', '']);
        // The generic syntax of RFC 3986 appendix B.
        const [, scheme = '', authority = ''] = /^([^:/?#]+):(?:\/\/([^/?#]*))?/.exec(text) ?? [];
        expect(url.protocol).toBe(`${scheme.toLowerCase()}:`);
        if (isPrivateUse(text)) expect(scheme).toContain('.');
        else {
          expect(['http:', 'https:']).toContain(url.protocol);
          expect(authority.replace(/:\d*$/, '').toLowerCase()).toBe(url.hostname);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('that any web address without a fragment can be is taken', () => {
    const address = fc.webUrl({ validSchemes: ['http', 'https'], withQueryParameters: true, size: 'small' });
    fc.assert(
      fc.property(address, (url) => {
        expect(faultOfRedirectUri(url)).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  it('with anything behind a # is refused', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.webFragments(), (url, fragment) => {
        expect(faultOfRedirectUri(`${url}#${fragment}`)).not.toBeNull();
      }),
    );
  });
});

describe('a list of redirect URIs', () => {
  const uris = (count: number) => Array.from({ length: count }, (_, n) => `https://example.com/${n}`);

  it('has 1 to 20', () => {
    expect(faultsOfRedirectUris(uris(1))).toEqual([]);
    expect(faultsOfRedirectUris(uris(20))).toEqual([]);
    for (const count of [0, 21, 100_000]) {
      expect(faultsOfRedirectUris(uris(count))).toEqual([
        { index: null, message: `An app takes 1 to 20 redirect URIs, and not ${count}.` },
      ]);
    }
  });

  it('names each of its faults, and where', () => {
    const twice = 'https://example.com/';
    expect(faultsOfRedirectUris([twice, 'x', twice, `${twice}#`])).toEqual([
      { index: 1, message: expect.stringMatching(ABSOLUTE) },
      { index: 2, message: 'Redirect URI is in the list twice.' },
      { index: 3, message: 'Redirect URI must not have a fragment.' },
    ]);
  });

  it('takes those for two that are not the same character by character', () => {
    expect(
      faultsOfRedirectUris(['https://example.com', 'https://example.com/', 'https://EXAMPLE.com']),
    ).toEqual([]);
  });
});

describe('a homepage URL', () => {
  it.each([
    'https://example.com',
    'http://intranet:8080/a?b=c#d',
    'https://пример.рф/страница',
    'HTTPS://EXAMPLE.COM',
    `https://example.com/${'x'.repeat(2_028)}`,
  ])('is taken: %s', (url) => {
    expect(faultOfHomepageUrl(url)).toBeNull();
  });

  it.each([
    ['empty', '', /must not be empty\.$/],
    ['too long', `https://example.com/${'x'.repeat(2_029)}`, /at most 2048 characters\.$/],
    ['a word', 'nowhere', /takes an http or https address/],
    ['without a host', 'https://', /takes an http or https address/],
    ['a script', 'javascript:alert(1)', /takes an http or https address/],
    ['data', 'data:text/html,hello', /takes an http or https address/],
    ['an app', 'com.example.app:/home', /takes an http or https address/],
    ['of one slash', 'https:/example.com', /takes an http or https address/],
    ['of a host that is none', 'https://exa<mple.com', /takes an http or https address/],
    ['with a password', 'https://ada:secret@example.com', /user name or a password\.$/],
    ['with a space', 'https://example.com/a b', /must not contain white space/],
    ['with a tab', 'java\tscript:alert(1)', /must not contain white space/],
    ['with a backslash', 'https:\\\\example.com', /must not contain white space/],
    ['with a character that turns the text around', 'https://example.com/\u202egpj.exe', /white space/],
    ['with half a character', 'https://example.com/\ud800', /white space/],
  ])('is refused: %s', (_what, url, message) => {
    expect(faultOfHomepageUrl(url)).toMatch(message);
  });

  it('that is taken is a web address without credentials, whatever it was', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string({ unit: 'binary' })), fc.string(), (url, tail) => {
        for (const text of [url, url + tail, `https://${tail}`]) {
          if (faultOfHomepageUrl(text) !== null) continue;
          const { protocol, hostname, username, password } = new URL(text);
          expect(protocol).toMatch(/^https?:$/);
          expect(hostname).not.toBe('');
          expect(username + password).toBe('');
        }
      }),
      { numRuns: 500 },
    );
  });
});
