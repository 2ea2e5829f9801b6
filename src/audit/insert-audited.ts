import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';
import { newId } from '../db/new-id.ts';
import {
  createReviver,
  type Row,
  type StoredModel,
  type StoredRow,
  tableOf,
  toStored,
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
  const all = [...rows, { model: 'AuditEvent', data: auditRow(actor, entry) } as const].map(
    ({ model, data }) => ({ model, row: toStored(model, withDefaults(data)) }),
  );
  const inserts = all
    .map(({ model, row }, place) => `row${place} AS (${insertOf(model, row, place)})`)
    .join(', ');
  const inserted = rows.map((_row, place) => `(SELECT row_to_json(row${place}) FROM row${place})`).join(', ');
  // All values go as one, so that the statement's text stays the same, and PostgreSQL plans it once.
  const values = JSON.stringify(all.map(({ row }) => row));
  const [answer] = await db.$queryRaw<{ rows: StoredRow[] }[]>`
    WITH given AS (SELECT ${values}::json AS rows), ${Prisma.raw(inserts)}
    SELECT json_build_array(${Prisma.raw(inserted)}) AS rows`;
  return rows.map(({ model }, place) => createReviver(model)(answer?.rows[place] ?? {})) as Inserted<Rows>;
}

/** As Prisma does: a row that never changed was updated when it was created. */
function withDefaults(data: object): Record<string, unknown> {
  const now = new Date();
  return { id: newId(), createdAt: now, updatedAt: now, ...data };
}

function insertOf(model: StoredModel, row: StoredRow, place: number): string {
  const { sql: table } = tableOf(model);
  const columns = Object.keys(row)
    .map((column) => `"${column}"`)
    .join(', ');
  return `INSERT INTO ${table} (${columns})
    SELECT ${columns} FROM json_populate_record(null::${table}, (SELECT rows -> ${place} FROM given)) RETURNING *`;
}
