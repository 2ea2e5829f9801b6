import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatAttributes,
  isPrivate,
  parseAttributes,
  requestedUrl,
} from '../../src/cli/credential-protocol.ts';
import { OperatorError } from '../../src/errors.ts';

/** What git 2.39 sends, with all that it may add. */
const REQUEST = [
  'capability[]=authtype',
  'capability[]=state',
  'protocol=https',
  'host=git.example:8443',
  'path=acme/site.git',
  'username=ada',
  'wwwauth[]=Basic realm="git"',
  'wwwauth[]=Bearer realm="git", error="x=y"',
  'something-new=1',
  '',
  'after=the end',
].join('\n');

describe('parseAttributes', () => {
  it("reads git's request up to the empty line", () => {
    const { values, lists } = parseAttributes(REQUEST);
    expect(Object.fromEntries(values)).toEqual({
      protocol: 'https',
      host: 'git.example:8443',
      path: 'acme/site.git',
      username: 'ada',
      'something-new': '1',
    });
    expect(Object.fromEntries(lists)).toEqual({
      capability: ['authtype', 'state'],
      wwwauth: ['Basic realm="git"', 'Bearer realm="git", error="x=y"'],
    });
  });

  it('clears a list at its empty value, and takes the last of several values', () => {
    const { values, lists } = parseAttributes('a[]=1\na[]=\na[]=2\nb=1\nb=2\n');
    expect(lists.get('a')).toEqual(['2']);
    expect(values.get('b')).toBe('2');
  });

  it.each(['protocol', '=https', 'host=a.example\r', 'host=a\0b', 'host=a\rprotocol=https'])(
    'refuses %j',
    (text) => {
      expect(() => parseAttributes(`${text}\n`)).toThrow(OperatorError);
    },
  );

  it('reads back what was written, whatever the values', () => {
    const key = fc.stringMatching(/^[a-z_]{1,12}$/).filter((name) => name !== '__proto__');
    const value = fc.string({ unit: 'binary' }).filter((text) => !/[\r\n\0]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(key, value), (given) => {
        expect(Object.fromEntries(parseAttributes(formatAttributes(given)).values)).toEqual({ ...given });
      }),
    );
  });

  it('reads any text or refuses it, and never repeats it in the refusal', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('=', '\n', '[]=', 'key='))),
        (parts) => {
          const text = parts.join('');
          try {
            const { values, lists } = parseAttributes(text);
            const all = [...values.values(), ...[...lists.values()].flat()];
            for (const value of all) expect(value).not.toMatch(/[\r\n\0]/);
          } catch (error) {
            expect(error).toBeInstanceOf(OperatorError);
            expect((error as Error).message).toBe('What git sent is no list of key=value lines.');
          }
        },
      ),
    );
  });
});

it('writes no value that would begin a line of its own', () => {
  for (const value of ['a\nquit=1', 'a\r', 'a\0']) {
    expect(() => formatAttributes({ password: value })).toThrow('The password has a line break');
  }
});

describe('requestedUrl', () => {
  const url = (text: string) => requestedUrl(parseAttributes(text))?.href ?? null;

  it.each([
    [REQUEST, 'https://git.example:8443/acme/site.git'],
    ['protocol=https\nhost=GitHub.com\n', 'https://github.com/'],
    ['protocol=http\nhost=[::1]:3000\npath=a b?c#d\n', 'http://[::1]:3000/a%20b%3Fc%23d'],
    ['protocol=https\nhost=git.example\npath=/acme/site\n', 'https://git.example/acme/site'],
  ])('is %j -> %s', (request, expected) => expect(url(request)).toBe(expected));

  it.each([
    '',
    'host=git.example',
    'protocol=https',
    'protocol=https\nhost=',
    'protocol=ssh\nhost=git.example',
    'protocol=cert\npath=/home/ada/key.pem',
    'protocol=https\nhost=good.example@evil.example',
    'protocol=https\nhost=good.example/evil',
    'protocol=https\nhost=good.example:443:80',
    'protocol=https\nhost=good.example:99999',
    'protocol=https\nhost=good.example#evil.example',
    'protocol=https\nhost=good.example\\evil.example',
  ])('is none for %j', (request) => expect(url(request)).toBeNull());

  it('keeps to the host that git named, whatever the path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        const asked = new Map([
          ['protocol', 'https'],
          ['host', 'git.example'],
          ['path', path],
        ]);
        const { host, search, hash, username } = requestedUrl({ values: asked, lists: new Map() }) ?? {};
        expect({ host, search, hash, username }).toEqual({
          host: 'git.example',
          search: '',
          hash: '',
          username: '',
        });
      }),
    );
  });
});

it.each([
  ['https://git.example', true],
  ['http://localhost:3000', true],
  ['http://127.0.0.1', true],
  ['http://127.9.9.9', true],
  ['http://[::1]', true],
  ['http://git.example', false],
  ['http://127.example.com', false],
  ['http://localhost.example', false],
  ['http://10.0.0.1', false],
])('what is sent to %s is private: %s', (url, expected) => expect(isPrivate(new URL(url))).toBe(expected));

// The database's client alone takes longer to load than git's users are willing to wait at each fetch.
it('the helper loads nothing but what it needs', () => {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const source = readFileSync(file, 'utf8');
    for (const [, typeOnly, from = ''] of source.matchAll(/^import (type )?[^;]*?'([^']+)';/gm)) {
      if (typeOnly) continue;
      if (from.startsWith('.')) visit(resolve(file, '..', from));
      else seen.add(from);
    }
  };
  visit(resolve('src/cli/git-credential.ts'));
  expect([...seen].map((file) => file.replace(`${resolve('src')}/`, '')).sort()).toEqual([
    'cli/credential-protocol.ts',
    'cli/gateway-access.ts',
    'cli/git-credential.ts',
    'errors.ts',
    'node:fs',
    'node:net',
    'node:os',
    'node:path',
    'node:stream/consumers',
    'node:util',
  ]);
});
