import { PrismaPg } from '@prisma/adapter-pg';
import type { PoolConfig } from 'pg';
import { PrismaClient } from '../generated/prisma/client.ts';

/** The Prisma client, whether PostgreSQL is embedded or a server. */
export type Database = PrismaClient;

/** The client that runs within a transaction. */
export type Transaction = Parameters<Parameters<Database['$transaction']>[0]>[0];

/** Prisma's own 2 and 5 seconds refuse work on a machine that is merely busy. */
const transactionOptions = { maxWait: 10_000, timeout: 15_000 };

export interface ClientOptions {
  /** Called with the text of each SQL statement: tests count them. */
  onQuery?: (sql: string) => void;
  /**
   * Lets PostgreSQL parse and plan a statement once for each connection, and not at each use. Not for the embedded
   * database, whose connections share one backend, where their names would collide.
   */
  prepare?: boolean;
}

export function createPrismaClient(
  connection: PoolConfig,
  { onQuery, prepare }: ClientOptions = {},
): Database {
  const adapter = new PrismaPg(connection, prepare ? { statementNameGenerator: createStatementNames() } : {});
  // Longer messages quote the arguments of the call, and errors are logged.
  const options = { adapter, transactionOptions, errorFormat: 'minimal' as const };
  if (!onQuery) return new PrismaClient(options);
  const client = new PrismaClient({ ...options, log: [{ emit: 'event', level: 'query' }] });
  client.$on('query', (event) => onQuery(event.query));
  return client;
}

/** Each keeps a plan in each connection. The gateway has some hundred statements of its own. */
const MAX_PREPARED = 300;

/** Of statements whose text follows from what clients select: whoever selects in ever new ways takes no others' names. */
const MAX_SELECTED = 100;
const SELECTED = / AS json_rows\b/;

/** A list of values: such a statement has another text for each length of the list, and would come to thousands. */
const VARIABLE_LENGTH = / IN \(\$|\), ?\(\$/;

/** @returns a name for each text of a statement; empty, which is none, where it had better have none */
export function createStatementNames(): (query: { sql: string }) => string {
  const names = new Map<string, string>();
  let selected = 0;
  return ({ sql }) => {
    const known = names.get(sql);
    if (known) return known;
    const isSelected = SELECTED.test(sql);
    const isFull = isSelected ? selected >= MAX_SELECTED : names.size - selected >= MAX_PREPARED;
    if (isFull || VARIABLE_LENGTH.test(sql)) return '';
    const name = `gatehouse_${names.size}`;
    names.set(sql, name);
    if (isSelected) selected += 1;
    return name;
  };
}
