import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { createKeyring, type Keyring } from './keyring.ts';

/** The keyring of the configuration. In embedded mode a key is made on the first start and kept beside the data. */
export function openKeyring({ encryptionKeys, database }: Config): Keyring {
  return createKeyring(encryptionKeys ?? [readOrMakeKey(database.dataDir)]);
}

function readOrMakeKey(dataDir: string): Uint8Array {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'encryption.key');
  try {
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (key.length !== 32) {
    throw new Error(
      `${path} does not hold 32 bytes in base64. Restore it from a backup: stored secrets need it.`,
    );
  }
  return new Uint8Array(key);
}
