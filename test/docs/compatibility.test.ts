import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('docs/compatibility.md', () => {
  const page = read('docs/compatibility.md').replaceAll(/\s+/g, ' ');
  // A test may be named with others of the same file: "one" and "another" in `folder/file`.
  const quotes = [...page.matchAll(/((?:"[^"`]+"(?:, | and )?)+) in `(\w+\/[\w-]+)`/g)].flatMap(
    ([, names = '', file = '']) => [...names.matchAll(/"([^"]+)"/g)].map(([, name = '']) => [name, file]),
  );

  it('names tests', () => {
    expect(quotes.length).toBeGreaterThan(50);
  });

  it('names tests that exist', () => {
    const missing = quotes.filter(([name = '', file]) => {
      const titles = read(`test/${file}.test.ts`).replaceAll(/%\w|\$\w+/g, '…');
      return !titles.includes(`'${name}'`) && !titles.includes(`"${name}"`);
    });
    expect(missing).toEqual([]);
  });

  it('names files that exist', () => {
    const paths = [...page.matchAll(/`((?:test|src|docs)\/[\w./-]+)`/g)].map(([, path = '']) => path);
    expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });
});
