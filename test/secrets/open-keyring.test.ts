import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { OperatorError } from '../../src/errors.ts';
import { keyIdOf } from '../../src/secrets/keyring.ts';
import { openKeyring } from '../../src/secrets/open-keyring.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  return () => rmSync(dataDir, { recursive: true });
});

const file = () => join(dataDir, 'encryption.key');
const open = (env: Record<string, string> = {}) => openKeyring(parseConfig({ DATA_DIR: dataDir, ...env }));
const [first, second] = [randomBytes(32), randomBytes(32)];
const base64 = (key: Buffer) => key.toString('base64');

it('makes a key on the first start, which only its owner can read, and keeps it', () => {
  const { keyIds } = open();
  expect(keyIds).toHaveLength(1);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(open().keyIds).toEqual(keyIds);
});

it.each([
  ['a line each', `${base64(first)}\n${base64(second)}\n`],
  ['commas', `${base64(first)},${base64(second)}`],
  ['both, and more space', `\n ${base64(first)} ,\r\n\r\n${second.toString('base64url')}\n`],
])('reads several keys: %s', (_how, content) => {
  writeFileSync(file(), content);
  const keyring = open();
  expect(keyring.keyIds).toEqual([keyIdOf(first), keyIdOf(second)]);
  expect(keyring.primaryKeyId).toBe(keyIdOf(first));
  expect(readFileSync(file(), 'utf8')).toBe(content);
});

it.each([
  ['nothing', ''],
  ['a key that was cut', base64(first).slice(0, -4)],
  ['a key among other things', `${base64(first)}\n# the old one\n${base64(second)}\n`],
])('refuses %s, makes no new key, and repeats nothing', (_what, content) => {
  writeFileSync(file(), content);
  const act = () => open();
  expect(act).toThrow(OperatorError);
  expect(act).toThrow(/encryption\.key takes keys of 32 bytes in base64, one a line/);
  expect(act).not.toThrow(base64(first).slice(0, 8));
  expect(readFileSync(file(), 'utf8')).toBe(content);
});

it('goes by ENCRYPTION_KEYS when they are set', () => {
  expect(open({ ENCRYPTION_KEYS: base64(second) }).keyIds).toEqual([keyIdOf(second)]);
});
