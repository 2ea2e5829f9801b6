import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';
import { newId } from '../db/new-id.ts';
import {
  columnsOf,
  createReviver,
  type Row,
  type StoredModel,
  type StoredRow,
  tableOf,
} from '../db/stored-rows.ts';
import { Prisma } from '../generated/prisma/client.ts';
import { type AuditEntry, auditRow } from './record.ts';

/** A row that is to be stored. What has a default in the database may be absent, and so may the id. */
export interface NewRow<Name extends StoredModel = StoredModel> {
  model: Name;
  data: Partial<Row<Name>>;
}

type Inserted<Rows extends readonly NewRow[]> = {
  [Place in keyof Rows]: Row<Rows[Place]['model']>;
};

/**
 * Stores new rows and the audit row of that, all or none. One statement is a transaction of its own, in one round
 * trip where BEGIN, an INSERT each and COMMIT take four or five; with most of its time gone in those, this makes a
 * mutation several times as fast.
 *
 * @param db may be a transaction that holds more
 * @returns the rows as they are stored, in their order
 */
export async function insertAudited<const Rows extends readonly NewRow[]>(
  db: Pick<Transaction, '$queryRaw'>,
  actor: Actor,
  rows: Rows,
  entry: AuditEntry,
): Promise<Inserted<Rows>> {
  const inserts = [...rows, { model: 'AuditEvent', data: auditRow(actor, entry) } as const].map(
    ({ model, data }, place) => Prisma.sql`${nameOf(place)} AS (${insertOf(model, data)} RETURNING *)`,
  );
  const stored = rows.map(
    (_row, place) => Prisma.sql`(SELECT row_to_json(${nameOf(place)}) FROM ${nameOf(place)})`,
  );
  const [answer] = await db.$queryRaw<{ rows: StoredRow[] }[]>`
    WITH ${Prisma.join(inserts)} SELECT json_build_array(${Prisma.join(stored)}) AS rows`;
  return rows.map(({ model }, place) => createReviver(model)(answer?.rows[place] ?? {})) as Inserted<Rows>;
}

/** Parts of the statement are called row0, row1 … */
const nameOf = (place: number) => Prisma.raw(`row${place}`);

function insertOf(model: StoredModel, data: object): Prisma.Sql {
  // As Prisma does: a row that never changed was updated when it was created.
  const now = new Date();
  const values: Record<string, unknown> = { id: newId(), createdAt: now, updatedAt: now, ...data };
  const columns = columnsOf(model).filter(({ name }) => values[name] !== undefined);
  const names = columns.map(({ column }) => `"${column}"`).join(', ');
  return Prisma.sql`INSERT INTO ${tableOf(model)} (${Prisma.raw(names)})
    VALUES (${Prisma.join(columns.map(({ name }) => values[name]))})`;
}
