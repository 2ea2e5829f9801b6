import { getDatamodel } from '../generated/pothos.ts';
import { Prisma } from '../generated/prisma/client.ts';

export type Model = Prisma.ModelName;

/** A row as Prisma gives it. */
export type Row<Name extends Model> = Prisma.TypeMap['model'][Name]['payload']['scalars'];

/** A row in PostgreSQL's JSON. */
export type StoredRow = Record<string, unknown>;

interface Column {
  /** As Prisma names it. */
  name: string;
  /** As the database names it. */
  column: string;
  type: string;
  isList: boolean;
}

const TABLES = {
  AuditEvent: 'audit_events',
  ExternalAuthLink: 'external_auth_links',
  OAuthApp: 'oauth_apps',
  OAuthAppSecret: 'oauth_app_secrets',
  SshKey: 'ssh_keys',
} as const satisfies Partial<Record<Model, string>>;

/** The models whose rows are read or written by SQL of our own: Prisma's description of them names no table. */
export type StoredModel = keyof typeof TABLES;

/** The quoted name of a model's table. */
export function tableOf(model: StoredModel): Prisma.Sql {
  return Prisma.raw(`"${TABLES[model]}"`);
}

/** Worked out once: rows are written and read by them. */
const columns = new Map(
  Object.entries(getDatamodel().datamodel.models).map(([model, { fields }]) => [
    model,
    fields
      .filter(({ kind }) => kind !== 'object')
      .map(({ name, type, isList }) => ({
        name,
        column: columnNameOf(name),
        type,
        isList,
      })),
  ]),
);

/** How the database names what Prisma gives a name. */
export function columnNameOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Makes of a row, or of a part of it, what PostgreSQL makes the row of. Other properties than columns are left out. */
export function toStored(model: Model, row: Record<string, unknown>): StoredRow {
  const stored: StoredRow = {};
  for (const { name, column } of columnsOf(model)) {
    const value = row[name];
    if (value === undefined) continue;
    // A date writes itself.
    stored[column] = value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value;
  }
  return stored;
}

function columnsOf(model: Model): Column[] {
  return columns.get(model) ?? [];
}

/** Makes of a row in PostgreSQL's JSON what Prisma makes of the row itself. A column that was not read stays absent. */
export function createReviver<Name extends Model>(model: Name): (stored: StoredRow) => Row<Name> {
  const columns = columnsOf(model);
  return (stored) => {
    const row: Record<string, unknown> = {};
    for (const { name, column, type, isList } of columns) {
      const value = stored[column];
      if (value === undefined) continue;
      // A list may be stored as NULL: Prisma makes such columns.
      if (value === null) row[name] = isList ? [] : null;
      else if (type === 'DateTime') row[name] = new Date(value as string);
      else if (type === 'Bytes')
        row[name] = new Uint8Array(Buffer.from((value as string).slice('\\x'.length), 'hex'));
      else row[name] = value;
    }
    return row as Row<Name>;
  };
}
