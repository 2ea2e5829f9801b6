import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { OperatorError } from '../errors.ts';
import { createKeyring, type Keyring } from './keyring.ts';

/**
 * The keyring of the configuration. In embedded mode a key is made on the first start and kept beside the data.
 *
 * @throws OperatorError when that file was damaged
 */
export function openKeyring({ encryptionKeys, database }: Config): Keyring {
  return createKeyring(encryptionKeys ?? readOrMakeKeys(database.dataDir));
}

/** Where the keys are, in words for the operator. */
export function keySource({ encryptionKeys, database }: Config): string {
  return encryptionKeys ? 'ENCRYPTION_KEYS' : keyFile(database.dataDir);
}

function keyFile(dataDir: string): string {
  return join(dataDir, 'encryption.key');
}

/** Usually one key. For a rotation there are several, one a line or separated by commas; the first encrypts. */
function readOrMakeKeys(dataDir: string): Uint8Array[] {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = keyFile(dataDir);
  try {
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const keys = readFileSync(path, 'utf8')
    .split(/[\s,]+/)
    .filter((text) => text !== '');
  // The content is not repeated: it may be a key but for one character.
  if (keys.length === 0 || !keys.every((text) => /^[A-Za-z0-9+/_-]{43}=?$/.test(text))) {
    throw new OperatorError(
      `${path} takes keys of 32 bytes in base64, one a line, and something else is in it. Restore it from a backup: stored secrets need it.`,
    );
  }
  return keys.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
}
