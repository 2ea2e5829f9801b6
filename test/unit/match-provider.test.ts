import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compilePattern,
  describePattern,
  hostPattern,
} from '../../src/external-auth/providers/match-pattern.ts';
import { findTies, matchProvider } from '../../src/external-auth/providers/match-provider.ts';

const provider = (id: string, pattern: string | null, regexIsGuess = false) => ({
  id,
  regex: pattern === null ? null : (compilePattern(pattern).regex ?? null),
  regexIsGuess,
});
const host = (name: string) => hostPattern(name).source;

describe('the provider for a git URL', () => {
  const providers = [
    provider('none', null),
    provider('anything', '.*'),
    provider('github', host('github.com')),
    provider('acme', '^(https?://)?github\\.com/acme(/.*)?$'),
    provider('acme-site', 'github\\.com/acme/site'),
    provider('corp', '^https://git(lab|ea)?\\.corp'),
    provider('guess', host('id.corp'), true),
  ];

  it.each([
    ['https://github.com/torvalds/linux.git', 'github'],
    ['github.com', 'github'],
    ['https://GitHub.com/acme/tools', 'acme'],
    ['https://ada@github.com/acme/tools', 'acme'],
    ['https://ada:secret@github.com:443/acme/site.git', 'acme-site'],
    ['https://gitlab.corp/x', 'corp'],
    ['https://github.com.evil.example/x', 'anything'],
    ['https://id.corp/x', 'anything'],
    ['', 'anything'],
    ['\n'.repeat(5_000), undefined],
  ])('%s: %s', (url, id) => {
    expect(matchProvider(providers, url)?.id).toBe(id);
  });

  it('is one that only guesses when no other matches', () => {
    const both = [provider('guess', host('id.corp'), true), provider('said', 'corp')];
    expect(matchProvider(both, 'https://id.corp/x')?.id).toBe('said');
    expect(matchProvider(both.slice(0, 1), 'https://id.corp/x')?.id).toBe('guess');
  });

  it('is found in time, whatever the pattern', () => {
    const slow = { regex: /^(a+)+$/, regexIsGuess: false };
    const started = Date.now();
    expect(matchProvider([slow], `${'a'.repeat(100)}!`)).toBeNull();
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it('does not depend on the order of the configuration', () => {
    const hosts = fc.constantFrom('github.com', 'git.corp', 'gitlab.com');
    const path = fc.constantFrom('', '/acme', '/acme/site', '/b');
    const pattern = fc.tuple(hosts, path).map(([name, at]) => host(name).replace('(/.*)?$', `${at}(/.*)?$`));
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { maxLength: 8 }),
        hosts,
        path,
        fc.infiniteStream(fc.nat()),
        (patterns, name, at, random) => {
          const some = patterns.map((text) => provider(text, text));
          expect(findTies(some)).toEqual([]);
          const shuffled = some.map((p) => [random.next().value, p] as const);
          shuffled.sort(([a], [b]) => a - b);
          const url = `https://${name}${at}/x.git`;
          const found = matchProvider(some, url);
          expect(
            matchProvider(
              shuffled.map(([, p]) => p),
              url,
            )?.id,
          ).toBe(found?.id);
          expect(found !== null).toBe(some.some(({ regex }) => regex?.test(url)));
        },
      ),
    );
  });
});

describe('ties', () => {
  it.each([
    ['github\\.com', 'github\\.com', true],
    ['github\\.com', '(?:github)[.]com', true],
    ['^(https?://)?gitlab\\.com(/.*)?$', '(github|gitlab)\\.com', true],
    ['(?i)GitHub\\.com', 'github\\.com', true],
    ['.*', '[a-z]*', true],
    ['github\\.com', 'gitlab\\.com', false],
    ['github\\.com', 'github\\.com/acme', false],
    ['git{1}hub\\.com', 'github\\.com/?', true],
  ])('%s and %s: %s', (a, b, expected) => {
    const pair = [provider('a', a), provider('b', b)];
    expect(findTies(pair)).toHaveLength(expected ? 1 : 0);
    expect(findTies([...pair].reverse())).toHaveLength(expected ? 1 : 0);
  });

  it('are none with a pattern that is a guess', () => {
    expect(findTies([provider('a', 'x'), provider('b', 'x', true), provider('c', null)])).toEqual([]);
  });
});

describe('a pattern', () => {
  it.each([
    ['(?P<host>github)\\.com', 'github.com', true],
    ['\\Agithub\\.com\\z', 'github.com', true],
    ['(?i)^GITHUB', 'github.com', true],
    ['^(?:[a-z0-9-]+\\.)*corp\\.example(/.*)?$', 'git.eu.corp.example/x', true],
  ])('in the syntax of Go, %s, is understood', (pattern, text, expected) => {
    expect(compilePattern(pattern).regex?.test(text)).toBe(expected);
  });

  it.each(['(a+)+$', '^(a|a)*$', '(.*)(.*)(.*)(.*)x', '^([a-z]+)*$', '(x+x+)+y'])(
    'as slow as %s is refused',
    (pattern) => {
      expect(compilePattern(pattern).fault).toMatch('takes too long');
    },
  );

  it.each(['(', '[a', '*', '(?i'])('as broken as %s is refused', (pattern) => {
    expect(compilePattern(pattern).fault).toMatch('no regular expression');
  });

  it.each([
    [host('github.com'), 10],
    ['', 0],
    ['a|bcd', 1],
    ['(abc)?d', 1],
    ['(abc){2}d+e*', 7],
    ['[a]b[cd]\\d\\.', 3],
    ['(?=abc)(?!d)x', 1],
    ['\\x41\\u0042', 2],
  ])('%s demands %i characters', (pattern, literals) => {
    expect(describePattern(new RegExp(pattern)).literals).toBe(literals);
  });

  it('is described by what it matches, however it is written', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(
          /^([a-c.]|\\\.|\[[a-c]{1,3}\]|\((a|b|\.)\)|\((a|b)?\|c\)|[a-c][?*+]|[ab]\{1,2\}){0,8}$/,
        ),
        (pattern) => {
          const { literals, samples } = describePattern(new RegExp(pattern));
          const whole = new RegExp(`^(?:${pattern})$`);
          for (const sample of samples) {
            expect(sample).toMatch(whole);
            expect(sample.length).toBeGreaterThanOrEqual(literals);
          }
        },
      ),
    );
  });
});
