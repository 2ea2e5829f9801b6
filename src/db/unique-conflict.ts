import { Prisma } from '../generated/prisma/client.ts';

/** What the driver adapter tells of a violated constraint, which Prisma does not type. */
interface DriverCause {
  driverAdapterError?: {
    cause?: { kind?: string; table?: string; constraint?: { index?: string } };
  };
}

/**
 * Whether a write failed because of a unique constraint.
 *
 * @param columns the constraint's columns, as the database names them
 */
export function isUniqueConflict(error: unknown, ...columns: string[]): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false;
  const cause = (error.meta as DriverCause | undefined)?.driverAdapterError?.cause;
  // Prisma names the constraint `table_column_column_key`, and the adapter tells that name alone.
  const index = cause?.constraint?.index;
  // The code is P2002, or P2010 in a statement of our own.
  return cause?.kind === 'UniqueConstraintViolation' && index === [cause?.table, ...columns, 'key'].join('_');
}
