import { isDatabaseUnavailable } from '../db/unavailable.ts';
import { DomainError, OperatorError } from '../errors.ts';

/** Says on standard error what went wrong and what to do, and sets an exit code that is not 0. */
export function reportFailure(error: unknown): void {
  process.exitCode = 1;
  process.stderr.write(`${explain(error)}\n`);
}

/** What the drivers and the system tell of a failure. */
type SystemError = NodeJS.ErrnoException & { address?: string; port?: number; severity?: string };

/** PostgreSQL refuses: a wrong password, no such role, no right to connect, no such database, too many clients. */
const REFUSED = /^(?:28...|3D000|53300|57P0.|42501)$/;

/** What went wrong and what to do, in words for the operator. */
export function explain(error: unknown): string {
  if (error instanceof OperatorError || error instanceof DomainError) return error.message;
  // A name with several addresses, each of which failed.
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const { code = '', message, path, address, port, syscall, severity } = error as SystemError;
  if (REFUSED.test(code) && severity) {
    return `The database refused: ${message}. Correct DATABASE_URL, or give that role what it lacks.`;
  }
  if (syscall === 'connect' || syscall === 'getaddrinfo' || /^ECONN|^ETIMEDOUT$|^EHOST|^ENET/.test(code)) {
    if (address?.endsWith('.s.PGSQL.5432')) {
      return 'The gateway that owns the data folder is just starting or stopping. Try again.';
    }
    return `The database${address && port ? ` at ${address}:${port}` : ''} cannot be reached (${code}). Start it, or correct DATABASE_URL.`;
  }
  if (isDatabaseUnavailable(error) || message === 'timeout expired') {
    return `The database does not answer (${message}). Start it, or correct DATABASE_URL.`;
  }
  if (/^(?:EACCES|EPERM|EROFS|ENOTDIR|EEXIST|ENOENT|ENOSPC|EDQUOT)$/.test(code)) {
    return `The data folder cannot be used: ${message}${path && !message.includes(path) ? ` (${path})` : ''}. Give this user the right to write there, or set DATA_DIR to another folder.`;
  }
  return error.stack ?? message;
}
