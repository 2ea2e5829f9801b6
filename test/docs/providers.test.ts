import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { providerSettingNames } from '../../src/external-auth/provider-schema.ts';
import { readBlocks } from './blocks.ts';

const page = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The providers of an environment, or of a file, as the server would have them at its start. */
function parseProviders(env: Record<string, string | undefined>, file = '') {
  const path = join(folder, 'gatehouse.yaml');
  writeFileSync(path, file);
  const { providers } = parseConfig({ ...env, GATEHOUSE_CONFIG: path }).externalAuth;
  return providers.map(({ source: _, written, ...provider }) => ({ ...provider, written: written.sort() }));
}

describe('docs/providers.md', () => {
  const envs = readBlocks('providers.md', 'env');
  const files = readBlocks('providers.md', 'yaml');

  it('has blocks', () => {
    expect(envs.length).toBeGreaterThan(10);
    // The block for who comes from Coder has no counterpart.
    expect(files).toHaveLength(envs.length - 1);
  });

  it.each(envs.map((block) => [block]))('has environment %# that starts', (block) => {
    expect(parseProviders(parseEnv(block))).not.toEqual([]);
  });

  it.each(files.map((file, index) => [file, envs[index] ?? '']))(
    'has file %# that says the same as the environment above it',
    (file, env) => {
      expect(parseProviders({}, file)).toEqual(parseProviders(parseEnv(env)));
    },
  );

  it('names every setting in its table, and no other', () => {
    const [, table = ''] = /^## All settings$(.*?)^## /ms.exec(page) ?? [];
    const names = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(names.sort()).toEqual([...providerSettingNames].sort());
  });

  it('quotes errors as the code has them', () => {
    const root = new URL('../../src/', import.meta.url);
    const sources = [
      'config.ts',
      ...readdirSync(new URL('external-auth/', root), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `external-auth/${name}`),
    ]
      .map((name) => readFileSync(new URL(name, root), 'utf8'))
      .join('\n');
    const [, errors = ''] = /^## Errors$(.*)/ms.exec(page) ?? [];
    const quoted = [...errors.matchAll(/`([^`]*…[^`]*)`/g)].map(([, message = '']) => message);
    expect(quoted.length).toBeGreaterThan(40);
    const parts = quoted
      .flatMap((message) => message.split('…'))
      .map((part) => part.trim().replace(/[.:]$/, ''));
    expect(parts.filter((part) => !sources.includes(part))).toEqual([]);
  });
});
