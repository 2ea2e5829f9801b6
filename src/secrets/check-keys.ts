import { OperatorError } from '../errors.ts';
import { Prisma } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { encryptedColumns } from './encrypted-columns.ts';
import { keySource } from './open-keyring.ts';

/** The newest rows of each table tell which key is in use; reading all of them would hold up the start. */
const SAMPLE_ROWS = 50;

/**
 * Compares the keys with what is stored, so that a wrong key stops the start instead of every request.
 *
 * @returns the ids of keys that some newer secrets need and the keyring lacks, when it has others that are in use
 * @throws OperatorError when none of the newer secrets can be read
 */
export async function checkKeys({
  db,
  keyring,
  config,
}: Pick<Runtime, 'db' | 'keyring' | 'config'>): Promise<string[]> {
  const samples = encryptedColumns.map(({ table, column }) => {
    const [from, value] = [Prisma.raw(`"${table}"`), Prisma.raw(`"${column}"`)];
    return Prisma.sql`(SELECT ${value} AS secret FROM ${from} ORDER BY id DESC LIMIT ${SAMPLE_ROWS})`;
  });
  const rows = await db.$queryRaw<{ keyId: string }[]>`
    SELECT DISTINCT split_part(secret, '.', 2) AS "keyId"
    FROM (${Prisma.join(samples, ' UNION ALL ')}) AS sample WHERE secret IS NOT NULL`;
  const used = rows.map(({ keyId }) => keyId);
  const missing = used.filter((keyId) => !keyring.keyIds.includes(keyId));
  if (missing.length === 0 || missing.length < used.length) return missing;

  throw new OperatorError(
    `The stored secrets cannot be read: they were encrypted with the key ${missing.join(' and ')} (the first 8 digits of its SHA-256), and ${keySource(config)} holds ${keyring.keyIds.join(', ')}. Put the former key back. To change keys, keep the former one after the new one until "gatehouse keys status" says that it may go.`,
  );
}
