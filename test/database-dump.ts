import { expect } from 'vitest';
import type { TestGateway } from './harness.ts';

/** Every row of every table, as JSON text, by the table's name. */
export type DatabaseDump = Record<string, string[]>;

/**
 * Reads the whole database. Only `api_tokens.last_used_at` is left out: it tells that a token was used, and a
 * request that was refused used one too.
 */
export async function dumpDatabase({ runtime: { db } }: TestGateway): Promise<DatabaseDump> {
  const tables = await db.$queryRaw<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name`;
  const dump: DatabaseDump = {};
  for (const { name } of tables) {
    const columns = name === 'api_tokens' ? `to_jsonb(t) - 'last_used_at'` : 'to_jsonb(t)';
    const rows = await db.$queryRawUnsafe<{ row: string }[]>(
      `SELECT (${columns})::text AS row FROM "${name}" t ORDER BY 1`,
    );
    dump[name] = rows.map(({ row }) => row);
  }
  return dump;
}

/** Runs something that must store nothing, and fails when any row of any table differs afterwards. */
export async function expectNothingStored<Result>(
  gateway: TestGateway,
  act: () => Promise<Result>,
): Promise<Result> {
  const before = await dumpDatabase(gateway);
  const result = await act();
  expect(await dumpDatabase(gateway)).toEqual(before);
  return result;
}
