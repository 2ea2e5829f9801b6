import type { PoolConfig } from 'pg';
import type { Config } from '../config.ts';
import { createPrismaClient, type Database } from './client.ts';
import { startEmbeddedDatabase } from './embedded.ts';
import { findOwner } from './owner-lock.ts';

export interface OpenDatabase {
  db: Database;
  connection: PoolConfig;
  kind: 'embedded' | 'server';
  close: () => Promise<void>;
}

export interface OpenOptions {
  /** Called with the text of each SQL statement: tests count them. */
  onQuery?: (sql: string) => void;
  /** Whether a commit waits for the disk, in embedded mode. Only tests turn it off. @default true */
  durable?: boolean;
  /** Reach an embedded database through the process that owns it, when one runs: how commands work beside it. */
  share?: boolean;
}

/** Connections to the embedded database: it runs one statement at a time, a few more hide the round trips. */
const EMBEDDED_POOL_SIZE = 4;

/**
 * Opens the database that the configuration names.
 *
 * @throws DataDirInUse when the embedded database belongs to another process and `share` is off
 */
export async function openDatabase(
  { url, dataDir, poolSize, statementTimeoutMs }: Config['database'],
  { onQuery, durable, share }: OpenOptions = {},
): Promise<OpenDatabase> {
  if (url) {
    const connection: PoolConfig = { connectionString: url, max: poolSize, connectionTimeoutMillis: 5_000 };
    // Not on `connection`: migrations take as long as they take. An abandoned transaction would keep its locks.
    const bounds = {
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      keepAlive: true,
    };
    const db = createPrismaClient({ ...connection, ...bounds }, { onQuery, prepare: true });
    return { db, connection, kind: 'server', close: () => db.$disconnect() };
  }
  const owner = share ? await findOwner(dataDir) : undefined;
  const embedded = owner ?? (await startEmbeddedDatabase(dataDir, { durable }));
  const connection: PoolConfig = {
    host: embedded.socketDir,
    user: 'postgres',
    database: 'postgres',
    max: EMBEDDED_POOL_SIZE,
  };
  const db = createPrismaClient(connection, { onQuery });
  // Prisma's query compiler takes a tenth of a second to load, and no connection: it loads while the database starts.
  await Promise.all([db.$connect(), 'ready' in embedded && embedded.ready]);
  return {
    db,
    connection,
    kind: 'embedded',
    close: async () => {
      await db.$disconnect();
      if ('close' in embedded) await embedded.close();
    },
  };
}
