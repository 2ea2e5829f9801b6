import { Prisma } from '../generated/prisma/client.ts';

/** What the driver adapter tells of a violated constraint, which Prisma does not type. */
interface DriverCause {
  driverAdapterError?: { cause?: { constraint?: { fields?: string[]; index?: string } } };
}

/**
 * Whether a write failed because of a unique constraint.
 *
 * @param columns the constraint's columns, as the database names them
 */
export function isUniqueConflict(error: unknown, ...columns: string[]): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2002') return false;
  const constraint = (error.meta as DriverCause | undefined)?.driverAdapterError?.cause?.constraint;
  const fields = (constraint?.fields ?? []).map((field) => field.replaceAll('"', ''));
  return fields.join() === columns.join();
}
