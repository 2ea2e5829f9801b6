import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startTemporaryPostgres } from '../scripts/temporary-postgres.ts';
import { applyMigrations } from '../src/db/migrate.ts';
import { FIRST_WRITTEN_ID, type Population } from './population.ts';
import type { Progress } from './progress.ts';
import { seed } from './seed.ts';

/** The PostgreSQL server that all are measured on. */
export interface Postgres {
  /** The database of the small or the large population. */
  databaseUrl: (size: 'small' | 'large') => string;
  /** What the server says it is, and the settings that matter. */
  describe: () => Promise<string>;
  stop: () => Promise<void>;
}

/** Connections of each server that is measured. */
export const POOL_SIZE = 10;

/** As a small production server would have it: commits reach the disk, the rows stay in memory. */
const SETTINGS = [
  'max_connections=200',
  'shared_buffers=1GB',
  'max_wal_size=8GB',
  'checkpoint_timeout=30min',
  'autovacuum=off',
];

/**
 * The server that BENCH_DATABASE_URL names, or one of our own that goes when the run ends.
 *
 * @param settings further settings of a server of our own
 * @throws Error when the named database does not say that it is for benchmarks: its rows will be deleted
 */
export async function openPostgres(given: string | undefined, settings: string[] = []): Promise<Postgres> {
  if (given && !/bench/.test(new URL(given).pathname)) {
    throw new Error(
      'BENCH_DATABASE_URL has to name a database with "bench" in its name: whatever is in it is deleted.',
    );
  }
  const own = given ? null : await startTemporaryPostgres([...SETTINGS, ...settings]);
  const databaseUrl = (size: 'small' | 'large') => {
    const suffix = size === 'large' ? '_large' : '';
    if (own) return own.databaseUrl(`gatehouse_bench${suffix}`);
    const url = new URL(given ?? '');
    url.pathname += suffix;
    return url.href;
  };
  // Made before anything connects to it.
  await createDatabase(databaseUrl('small'));
  return {
    databaseUrl,
    async describe() {
      return withClient(databaseUrl('small'), async (client) => {
        const { rows } = await client.query<{ text: string }>(
          `SELECT 'PostgreSQL ' || current_setting('server_version') || ', ' ||
             string_agg(name || '=' || current_setting(name), ', ' ORDER BY name) AS text
           FROM pg_settings WHERE name IN ('shared_buffers', 'fsync', 'synchronous_commit', 'max_connections', 'max_wal_size')`,
        );
        return rows[0]?.text ?? '';
      });
    },
    stop: async () => own?.stop(),
  };
}

/** A database with the rows of a population, ready to be measured. */
export async function prepareDatabase(
  url: string,
  population: Population,
  progress: Progress,
): Promise<void> {
  await createDatabase(url);
  await applyMigrations({ connectionString: url });
  await withClient(url, async (client) => {
    await seed(client, population, progress);
  });
  await deleteWritten(url);
}

/** How often in a row the count has to be the same, with nothing under way in the database. */
const SETTLED = 3;

/** Waits until what was under way when the load ended has been stored, too, and counts it. */
export async function countSettled(url: string): Promise<number> {
  return withClient(url, async (client) => {
    let [count, times] = [-1, 0];
    while (times < SETTLED) {
      await sleep(100);
      const now = await countWritten(client);
      const isSame = now.count === count && !now.isBusy;
      times = isSame ? times + 1 : 0;
      count = now.count;
    }
    return count;
  });
}

async function countWritten(client: pg.Client): Promise<{ count: number; isBusy: boolean }> {
  const { rows } = await client.query<{ count: string; busy: string }>(
    `SELECT (SELECT count(*) FROM ssh_keys WHERE id >= $1) + (SELECT count(*) FROM oauth_apps WHERE id >= $1) AS count,
       (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle') AS busy`,
    [FIRST_WRITTEN_ID],
  );
  return { count: Number(rows[0]?.count), isBusy: rows[0]?.busy !== '0' };
}

/** Makes the next server find what the last one found. */
export async function deleteWritten(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('TRUNCATE audit_events');
    await client.query('DELETE FROM ssh_keys WHERE id >= $1', [FIRST_WRITTEN_ID]);
    await client.query('DELETE FROM oauth_apps WHERE id >= $1', [FIRST_WRITTEN_ID]);
    await client.query('VACUUM ssh_keys, oauth_apps, oauth_app_secrets, api_tokens');
  });
}

export async function withClient<Result>(
  url: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function createDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  await withClient(maintenance.href, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (!rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
}
