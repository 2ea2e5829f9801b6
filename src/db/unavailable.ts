import { Prisma } from '../generated/prisma/client.ts';

/** What the driver adapter tells of a failure, which Prisma does not type. */
interface DriverMeta {
  driverAdapterError?: { cause?: { kind?: string; originalCode?: string } };
}

/** No connection within the time, a lost one, or no place for a transaction within the time. */
const PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);

/** What the adapter passes on from the socket as if it were a code of Prisma's. */
const SOCKET_CODES = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
]);

const ADAPTER_KINDS = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
]);

/** PostgreSQL's classes 08 (connection), 53 (out of resources), and 57P0x (shutting down, starting, crashed). */
const SQLSTATE = /^(?:08|53)...$|^57P0[1-5]$/;

/** node-postgres gives these no code. */
const DRIVER_MESSAGE =
  /^(?:timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error)/;

/** Whether an error says that the database is away or overwhelmed, rather than that a statement is wrong. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof Prisma.PrismaClientKnownRequestError) {
    const { kind, originalCode } = (error.meta as DriverMeta | undefined)?.driverAdapterError?.cause ?? {};
    return (
      PRISMA_CODES.has(error.code) ||
      SOCKET_CODES.has(error.code) ||
      (kind !== undefined && ADAPTER_KINDS.has(kind)) ||
      (originalCode !== undefined && SQLSTATE.test(originalCode))
    );
  }
  return error instanceof Prisma.PrismaClientInitializationError || DRIVER_MESSAGE.test(error.message);
}
