import { readdirSync, readFileSync } from 'node:fs';
import { withClient } from './database.ts';
import type { Server } from './servers.ts';

/** Milliseconds of processor time that a server and the database have taken so far. */
export interface CpuTime {
  server: number;
  database: number;
}

/** Linux counts in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;

/**
 * What throughput hides on a busy machine: the work itself.
 *
 * @returns null where there is no /proc, or PostgreSQL runs on another machine
 */
export async function readCpuTime({ pid, databaseUrl }: Server): Promise<CpuTime | null> {
  const backends = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    return rows.map((row) => row.pid);
  });
  const server = [pid, ...childrenOf(pid)].map(timeOf);
  const database = backends.map(timeOf);
  const isKnown = [...server, ...database].every((time) => time !== null);
  return isKnown ? { server: sum(server), database: sum(database) } : null;
}

function sum(times: (number | null)[]): number {
  return times.reduce<number>((total, time) => total + (time ?? 0), 0);
}

function timeOf(pid: number): number | null {
  const fields = statOf(pid);
  return fields && (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function childrenOf(pid: number): number[] {
  try {
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return processes.map(Number).filter((each) => Number(statOf(each)?.[1]) === pid);
  } catch {
    return [];
  }
}

/** The fields of proc_pid_stat(5) that follow the program's name: the state, the parent … */
function statOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
