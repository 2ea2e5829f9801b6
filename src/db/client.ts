import { PrismaPg } from '@prisma/adapter-pg';
import type { PoolConfig } from 'pg';
import { PrismaClient } from '../generated/prisma/client.ts';

/** The Prisma client, whether PostgreSQL is embedded or a server. */
export type Database = PrismaClient;

/** The client that runs within a transaction. */
export type Transaction = Parameters<Parameters<Database['$transaction']>[0]>[0];

/** Prisma's own 2 and 5 seconds refuse work on a machine that is merely busy. */
const transactionOptions = { maxWait: 10_000, timeout: 15_000 };

/**
 * @param onQuery called with the text of each SQL statement: tests count them
 */
export function createPrismaClient(connection: PoolConfig, onQuery?: (sql: string) => void): Database {
  const adapter = new PrismaPg(connection);
  // Longer messages quote the arguments of the call, and errors are logged.
  const options = { adapter, transactionOptions, errorFormat: 'minimal' as const };
  if (!onQuery) return new PrismaClient(options);
  const client = new PrismaClient({ ...options, log: [{ emit: 'event', level: 'query' }] });
  client.$on('query', (event) => onQuery(event.query));
  return client;
}
