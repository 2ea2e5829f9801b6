import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

/** The settings of the code, with their defaults: undefined where there is none. */
const [, shape = ''] = /^const settings = z\.object\(\{$(.*?)^\}\);$/ms.exec(read('src/config.ts')) ?? [];
const defaults = new Map(
  shape
    .trim()
    .split(/^ {2}(?=[A-Z_]+:)/m)
    .map((text) => {
      const [name = ''] = text.split(':');
      return [name, /\.default\('?([^)']*)'?\)/.exec(text)?.[1]?.replaceAll('_', '')];
    }),
);

it('the table of settings in README.md has the names and the defaults of the code', () => {
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

it('docs/operations.md has every setting, with the default of the code', () => {
  const [, section = ''] = /^## Settings$(.*?)^## /ms.exec(read('docs/operations.md')) ?? [];
  const rows = [...section.matchAll(/^\| `([^`]+)` +\| ([^|]+)\|/gm)].map(
    ([, name = '', value]) => [name, quoted(value)[0]] as const,
  );
  const onPage = new Map(rows.filter(([name]) => name !== 'EXTERNAL_AUTH_<n>_*'));
  expect([...onPage.keys()].sort()).toEqual([...defaults.keys()].sort());
  for (const [name, inCode] of defaults) {
    if (inCode) expect(`${name} ${onPage.get(name)}`).toBe(`${name} ${inCode}`);
  }
});

describe('.env.example', () => {
  const text = read('.env.example');
  const offered = parseEnv(text.replaceAll(/^#(?=[A-Z])/gm, '')) as Record<string, string>;

  it('sets nothing as it is', () => expect(parseEnv(text)).toEqual({}));

  it('offers every setting', () => {
    const ofProviders = /^EXTERNAL_AUTH_0_/;
    const names = Object.keys(offered).filter((name) => !ofProviders.test(name));
    expect(names.sort()).toEqual([...defaults.keys()].sort());
  });

  it('shows the default where there is one', () => {
    for (const [name, value] of defaults) if (value) expect([name, offered[name]]).toEqual([name, value]);
  });

  it('shows values that are taken, once secrets and files are filled in', () => {
    const filled = {
      ...offered,
      ENCRYPTION_KEYS: Buffer.alloc(32, 7).toString('base64'),
      GATEHOUSE_CONFIG: '',
      EXTERNAL_AUTH_0_CLIENT_ID: 'id',
      EXTERNAL_AUTH_0_CLIENT_SECRET: 'secret',
    };
    expect(parseConfig(filled).http.publicUrl).toBe('https://gatehouse.example');
  });
});

it.each(['Dockerfile', 'docs/operations.md'])('%s starts the server as `npm start` does', (path) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
  // The image names the program and its arguments in an array, the subcommand apart.
  const [start = ''] = scripts.start.split(' serve');
  const text = read(path).replaceAll(/", "/g, ' ').replaceAll(/\s+/g, ' ');
  expect(text.match(/node [-\w= ]*dist\/main\.js(?! user)/g)).toSatisfy(
    (commands: string[]) => commands.length > 0 && commands.every((command) => command === start),
  );
});
