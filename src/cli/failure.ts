import { InvalidConfig } from '../config.ts';
import { DataDirInUse } from '../db/owner-lock.ts';
import { DomainError } from '../errors.ts';

/** Says on standard error what went wrong and what to do, and sets an exit code that is not 0. */
export function reportFailure(error: unknown): void {
  process.exitCode = 1;
  process.stderr.write(`${explain(error)}\n`);
}

function explain(error: unknown): string {
  if (error instanceof InvalidConfig || error instanceof DataDirInUse || error instanceof DomainError) {
    return error.message;
  }
  const { code, message, port, address } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken by another program. Stop it, or set PORT to another one.`;
    case 'EACCES':
      return port
        ? `Port ${port} is not allowed to this user. Set PORT to 1024 or more.`
        : `${message}. Give this user the right to it, or set DATA_DIR to another folder.`;
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'ETIMEDOUT':
      return `The database at ${address ? `${address}:${port}` : 'DATABASE_URL'} cannot be reached (${code}). Start it, or correct DATABASE_URL.`;
    case '28P01':
    case '28000':
    case '3D000':
      return `The database refused the connection: ${message}. Correct DATABASE_URL.`;
    default:
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
