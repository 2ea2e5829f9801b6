import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import pg, { type PoolConfig } from 'pg';
import { OperatorError } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import { sha256Hex } from '../secrets/hash.ts';
import type { OpenDatabase } from './open.ts';
import { everything, type MigrationList, openSchemaEngine } from './schema-engine.ts';

const migrationsDir = join(packageRoot, 'prisma/migrations');

/** Any number will do, as long as every release of the gateway uses the same. */
const ADVISORY_LOCK = 7_203_151_988;

export interface Migration {
  name: string;
  sql: string;
}

/** The migrations in the order in which they are applied. */
export function listMigrations(): Migration[] {
  return readdirSync(migrationsDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => ({
      name: entry.name,
      sql: readFileSync(join(migrationsDir, entry.name, 'migration.sql'), 'utf8'),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The migrations in the form that the schema engine takes. */
export function migrationList(): MigrationList {
  return {
    baseDir: migrationsDir,
    lockfile: {
      path: 'migration_lock.toml',
      content: readFileSync(join(migrationsDir, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: listMigrations().map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}

/**
 * Applies what is pending, under an advisory lock, so that any number of replicas may start at once. Fills
 * Prisma's ordinary `_prisma_migrations` table: `prisma migrate` can take over at any time.
 *
 * @returns the names of the migrations that it applied
 * @throws OperatorError when an applied migration was edited, or a former attempt failed half-way
 */
export async function applyMigrations(connection: PoolConfig): Promise<string[]> {
  // The common start has nothing to apply: one query then saves loading the engine (about half a second).
  if ((await pendingMigrations(connection)).length === 0) return [];
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    if ((await pendingMigrations(connection)).length === 0) return [];
    await refuseUnfinished(client);
    // A pool of our own: the engine would leave its connections open.
    const pool = new pg.Pool(connection);
    const engine = await openSchemaEngine(new PrismaPg(pool));
    try {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: migrationList(),
        filters: everything,
      });
      return appliedMigrationNames;
    } finally {
      engine.free();
      await pool.end();
    }
  } finally {
    // Ends the session, and with it the lock.
    await client.end();
  }
}

/** The names of the migrations that the database lacks. */
async function pendingMigrations(connection: PoolConfig): Promise<string[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const { rows: tables } = await client.query(`SELECT to_regclass('_prisma_migrations') AS name`);
    const migrations = listMigrations();
    if (tables[0].name === null) return migrations.map(({ name }) => name);
    const { rows } = await client.query<{ migration_name: string; checksum: string }>(
      'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
    const edited = migrations.find(
      ({ name, sql }) => applied.has(name) && applied.get(name) !== sha256Hex(sql),
    );
    if (edited) {
      throw new OperatorError(
        `The migration ${edited.name} was edited after it was applied to this database. Restore its file, and put the change into a new migration.`,
      );
    }
    return migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  } finally {
    await client.end();
  }
}

/** The names of applied migrations that this release does not know: those of a newer one. */
export async function newerMigrations({ db }: Pick<OpenDatabase, 'db'>): Promise<string[]> {
  const known = listMigrations().map(({ name }) => name);
  const rows = await db.$queryRaw<{ name: string }[]>`
    SELECT migration_name AS name FROM _prisma_migrations
    WHERE rolled_back_at IS NULL AND NOT migration_name = ANY (${known}) ORDER BY started_at`;
  return rows.map(({ name }) => name);
}

/** To be asked under the lock: nobody else is applying one now. */
async function refuseUnfinished(client: pg.Client): Promise<void> {
  const { rows: tables } = await client.query(`SELECT to_regclass('_prisma_migrations') AS name`);
  if (tables[0].name === null) return;
  const { rows } = await client.query<{ migration_name: string; logs: string | null }>(
    'SELECT migration_name, logs FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL LIMIT 1',
  );
  const [failed] = rows;
  if (!failed) return;
  const reason = failed.logs?.trim() ? ` with: ${failed.logs.trim()}` : '';
  throw new OperatorError(
    `The migration ${failed.migration_name} was begun on this database and not finished${reason}\nRestore the backup from before it, or mend the database by hand and tell Prisma: npx prisma migrate resolve --help`,
  );
}
