import { readdirSync, readFileSync } from 'node:fs';
import { withClient } from './database.ts';
import type { Server } from './servers.ts';

/** Milliseconds of processor time, of a server and of PostgreSQL on its behalf. */
interface CpuTime {
  server: number;
  database: number;
}

/** What each process has taken so far. */
interface CpuClock {
  server: Map<number, number>;
  database: Map<number, number>;
}

/** Linux counts in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;

/**
 * What throughput hides on a busy machine: the work itself.
 *
 * @returns null where there is no /proc, or PostgreSQL runs on another machine
 */
export async function readCpuClock({ pid, databaseUrl }: Server): Promise<CpuClock | null> {
  const backends = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    return rows.map((row) => row.pid);
  });
  const server = timesOf([pid, ...childrenOf(pid)]);
  const database = timesOf(backends);
  return server.size > 0 && database.size === backends.length ? { server, database } : null;
}

/** A connection that was opened meanwhile counts from its beginning; one that was closed does not count. */
export function timeBetween(before: CpuClock, after: CpuClock): CpuTime {
  const taken = (kind: keyof CpuClock) =>
    [...after[kind]].reduce((sum, [pid, time]) => sum + time - (before[kind].get(pid) ?? 0), 0);
  return { server: taken('server'), database: taken('database') };
}

function timesOf(pids: number[]): Map<number, number> {
  return new Map(
    pids.flatMap((pid) => {
      const time = timeOf(pid);
      return time === null ? [] : [[pid, time] as const];
    }),
  );
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
