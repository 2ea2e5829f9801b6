import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

it('the table of settings in README.md has the names and the defaults of the code', () => {
  const [, shape = ''] = /^const settings = z\.object\(\{$(.*?)^\}\);$/ms.exec(read('src/config.ts')) ?? [];
  const defaults = new Map(
    shape.split(/^ {2}(?=[A-Z_]+:)/m).map((text) => {
      const [name = ''] = text.split(':');
      return [name, /\.default\('?([^)']*)'?\)/.exec(text)?.[1]?.replaceAll('_', '')];
    }),
  );
  const [, table = ''] = /^## Configuration$(.*?)^## /ms.exec(read('README.md')) ?? [];
  const rows = [...table.matchAll(/^\| (`[^|]+) \| ([^|]+)\|/gm)];
  expect(rows.length).toBeGreaterThan(8);
  for (const [, names, values] of rows) {
    for (const [index, name] of quoted(names).entries()) {
      if (name === 'EXTERNAL_AUTH_<n>_*') continue;
      expect([...defaults.keys()]).toContain(name);
      const inCode = defaults.get(name);
      const onPage = quoted(values)[index] ?? quoted(values)[0];
      if (inCode) expect(`${name} ${onPage}`).toBe(`${name} ${inCode}`);
    }
  }
});
