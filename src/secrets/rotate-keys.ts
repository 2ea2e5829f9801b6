import { setTimeout as sleep } from 'node:timers/promises';
import { Prisma } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { type EncryptedColumn, encryptedColumns } from './encrypted-columns.ts';
import { SecretUnreadable } from './keyring.ts';

type Vault = Pick<Runtime, 'db' | 'keyring'>;

/** How many stored secrets a key encrypts. */
export interface KeyUse {
  keyId: string;
  role: 'primary' | 'secondary' | 'missing';
  secrets: number;
  byColumn: Record<string, number>;
}

/** Counts stored secrets by key: the keys of the keyring in its order, then those that it lacks. */
export async function countKeyUse({ db, keyring }: Vault): Promise<KeyUse[]> {
  const counts = new Map<string, Record<string, number>>(keyring.keyIds.map((keyId) => [keyId, {}]));
  for (const { table, column } of encryptedColumns) {
    const rows = await db.$queryRaw<{ keyId: string; count: bigint }[]>`
      SELECT split_part(${name(column)}, '.', 2) AS "keyId", count(*) AS count
      FROM ${name(table)} WHERE ${name(column)} IS NOT NULL GROUP BY 1`;
    for (const { keyId, count } of rows) {
      counts.set(keyId, { ...counts.get(keyId), [`${table}.${column}`]: Number(count) });
    }
  }
  return [...counts].map(([keyId, byColumn]) => ({
    keyId,
    role: roleOf(keyId, keyring),
    secrets: Object.values(byColumn).reduce((sum, count) => sum + count, 0),
    byColumn,
  }));
}

function roleOf(keyId: string, { keyIds, primaryKeyId }: Vault['keyring']): KeyUse['role'] {
  if (keyId === primaryKeyId) return 'primary';
  return keyIds.includes(keyId) ? 'secondary' : 'missing';
}

export interface Rotation {
  /** Secrets that were not under the primary key at the start. */
  total: number;
  /** Of these, how many are now; in a dry run, how many would be. */
  done: number;
  /** Secrets that cannot be decrypted, with the reason. They are left as they are. */
  unreadable: string[];
}

export interface RotationOptions {
  /** Decrypts everything and writes nothing. @default false */
  dryRun?: boolean;
  onProgress?: (progress: Rotation) => void;
  /** Secrets that are read and written at once. @default 200 */
  batchSize?: number;
  /** The wait before a secret is tried again that somebody is about to replace. @default 1000 */
  busyRetryMs?: number;
}

/** A renewal takes half a minute at most. */
const BUSY_TRIES = 60;

/**
 * Encrypts with the primary key what another key encrypted, while the gateway serves. Each batch stands by itself:
 * whoever interrupts the work goes on with it by starting it again. A secret that changes meanwhile keeps its new
 * value.
 */
export async function rotateKeys(vault: Vault, options: RotationOptions = {}): Promise<Rotation> {
  const uses = await countKeyUse(vault);
  const rotation: Rotation = {
    total: uses.reduce((sum, { role, secrets }) => (role === 'primary' ? sum : sum + secrets), 0),
    done: 0,
    unreadable: [],
  };
  options.onProgress?.(rotation);
  for (const column of encryptedColumns) {
    for (let tries = 0; (await rotateColumn(vault, column, rotation, options)) === 'busy'; tries++) {
      if (tries === BUSY_TRIES) break;
      await sleep(options.busyRetryMs ?? 1_000);
    }
  }
  return rotation;
}

/** @returns `busy` when secrets were passed over because somebody is about to replace them */
async function rotateColumn(
  { db, keyring }: Vault,
  { table, column, busy }: EncryptedColumn,
  rotation: Rotation,
  { dryRun = false, onProgress, batchSize = 200 }: RotationOptions,
): Promise<'done' | 'busy'> {
  const unreadable = new Set(rotation.unreadable);
  let passedOver = 0;
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const rows = await db.$queryRaw<{ id: string; secret: string }[]>`
      SELECT id, ${name(column)} AS secret FROM ${name(table)}
      WHERE id > ${after}::uuid AND split_part(${name(column)}, '.', 2) <> ${keyring.primaryKeyId}
      ORDER BY id LIMIT ${batchSize}`;
    const last = rows.at(-1);
    if (!last) return passedOver > 0 ? 'busy' : 'done';
    after = last.id;

    const changes: { id: string; from: string; to: string }[] = [];
    for (const { id, secret } of rows) {
      const place = { table, column, row: id };
      try {
        changes.push({ id, from: secret, to: keyring.encrypt(keyring.decrypt(secret, place), place) });
      } catch (error) {
        if (!(error instanceof SecretUnreadable)) throw error;
        unreadable.add((error.cause as Error).message);
      }
    }
    rotation.unreadable = [...unreadable];
    // Compared with what was read: a secret that was replaced since must not be put back.
    const written = dryRun
      ? changes.length
      : await db.$executeRaw`
          UPDATE ${name(table)} AS stored SET ${name(column)} = change.after
          FROM unnest(
            ${changes.map(({ id }) => id)}::uuid[],
            ${changes.map(({ from }) => from)}::text[],
            ${changes.map(({ to }) => to)}::text[]
          ) AS change (id, before, after)
          WHERE stored.id = change.id AND stored.${name(column)} = change.before
            AND NOT coalesce(${Prisma.raw(busy ?? 'false')}, false)`;
    passedOver += changes.length - written;
    rotation.done += written;
    onProgress?.(rotation);
  }
}

/** For the constants of encrypted-columns.ts alone: nothing that comes from outside. */
function name(identifier: string): Prisma.Sql {
  return Prisma.raw(`"${identifier}"`);
}
