import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localPath } from '../../src/http/local-path.ts';

const HERE = 'https://gatehouse.example';

describe('localPath', () => {
  it.each(['/', '/graphql', '/external-auth/github?a=b&c=%2F%2Fd', '/a//b', '/docs#/paths', '/a?next=//b'])(
    'takes %j as it is',
    (path) => expect(localPath(path)).toBe(path),
  );

  it.each([
    '',
    'graphql',
    'https://evil.example',
    'javascript:alert(1)',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/./..//evil.example',
    '/%2e//evil.example',
    '/%2fevil.example',
    '/%2F%2Fevil.example',
    '/%5cevil.example',
    '/%252fevil.example',
    '/%09/evil.example',
    '/.%2f/evil.example',
    '/a/..%2f/evil.example',
    '/%2f/..',
    '/%2fevil.example/..',
    `/%${'25'.repeat(30)}2fevil.example`,
    '/a\r\nSet-Cookie: x=y',
    '/é',
    `/${'a'.repeat(3_000)}`,
  ])('refuses %j', (path) => expect(localPath(path, '/fallback')).toBe('/fallback'));

  it('refuses what is not there', () => {
    expect([localPath(undefined), localPath(null)]).toEqual(['/', '/']);
  });

  // Of the characters that such tricks are made of, and of any others.
  const trick = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '/',
          '\\',
          '.',
          '..',
          '%2f',
          '%5C',
          '%25',
          '2f',
          '%09',
          '%2e',
          '\t',
          '\n',
          '\r',
          '@',
          ':',
          'evil.example',
        ),
        fc.string({ maxLength: 3, unit: 'binary' }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''));

  it('never leads to another origin, however often a proxy decodes it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          trick,
          trick.map((rest) => `/${rest}`),
        ),
        (text) => {
          let path = localPath(text);
          for (let decoded = 0; decoded < 3; decoded += 1) {
            expect(new URL(path, HERE).origin).toBe(HERE);
            // As an address that a browser was given, dot segments are gone.
            expect(new URL(new URL(path, HERE).pathname, HERE).origin).toBe(HERE);
            try {
              path = decodeURIComponent(path);
            } catch {
              return;
            }
          }
        },
      ),
      { numRuns: 2_000, examples: [['/%2f/..']] },
    );
  });
});
