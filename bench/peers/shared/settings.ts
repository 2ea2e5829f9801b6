import { createKeyring, type Keyring } from '../../../src/secrets/keyring.ts';

/** What every server of the benchmark is started with. */
export interface Settings {
  databaseUrl: string;
  poolSize: number;
  port: number;
  keyring: Keyring;
}

export function readSettings(): Settings {
  const { DATABASE_URL, DATABASE_POOL_SIZE, PORT, ENCRYPTION_KEYS } = process.env;
  if (!DATABASE_URL || !DATABASE_POOL_SIZE || !PORT || !ENCRYPTION_KEYS) {
    throw new Error('This server is started by `npm run bench`.');
  }
  return {
    databaseUrl: DATABASE_URL,
    poolSize: Number(DATABASE_POOL_SIZE),
    port: Number(PORT),
    keyring: createKeyring([Buffer.from(ENCRYPTION_KEYS, 'base64')]),
  };
}
