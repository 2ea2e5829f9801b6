import { fork } from 'node:child_process';
import { join } from 'node:path';
import { readCpuClock, timeBetween } from './cpu.ts';
import { countSettled, deleteWritten } from './database.ts';
import type { LoadResult, LoadTask } from './load-task.ts';
import type { Progress } from './progress.ts';
import type { Round } from './results.ts';
import { adopt, root, type Server } from './servers.ts';
import type { Workload } from './workloads.ts';

export const CONNECTIONS = 64;

export interface Timing {
  rounds: number;
  seconds: number;
  warmupSeconds: number;
}

export const FULL: Timing = { rounds: 5, seconds: 2.5, warmupSeconds: 2 };
export const QUICK: Timing = { rounds: 3, seconds: 0.8, warmupSeconds: 0.8 };

export interface LoadGenerator {
  run: (task: LoadTask) => Promise<LoadResult>;
  stop: () => void;
}

export function startLoadGenerator(): LoadGenerator {
  const child = adopt(
    fork(join(root, 'bench/.build/bench/load/generator.js'), { stdio: 'inherit', execArgv: [] }),
  );
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error('The load generator ended.'));
        child.once('exit', onExit);
        child.once('message', (result) => {
          child.off('exit', onExit);
          resolve(result as LoadResult);
        });
        child.send(task);
      }),
    stop: () => child.disconnect(),
  };
}

/** Whoever takes turns with others: a server with a workload, by a name of its own. */
export interface Contender {
  name: string;
  server: Server;
  workload: Workload;
}

/**
 * Measures contenders in turn, A B C A B C: what slows the machine for a while slows them all.
 *
 * @param what for the progress
 * @returns the rounds of each contender, in their order
 * @throws Error when any server gives a single wrong answer, or none
 */
export async function measure(
  generator: LoadGenerator,
  contenders: Contender[],
  what: string,
  timing: Timing,
  progress: Progress,
): Promise<Round[][]> {
  const rounds: Round[][] = contenders.map(() => []);
  for (let round = 0; round <= timing.rounds; round += 1) {
    const turn = round === 0 ? 'warm-up' : `round ${round} of ${timing.rounds}`;
    for (const [i, { name, server, workload }] of contenders.entries()) {
      progress.update(`${what}: ${turn}, ${name} …`);
      if (round === 0) await loadOnce(generator, server, workload, timing.warmupSeconds);
      else rounds[i]?.push(await measureRound(generator, server, workload, timing.seconds));
    }
  }
  return rounds;
}

/** Loads a server once, for some seconds. */
export async function measureRound(
  generator: LoadGenerator,
  server: Server,
  workload: Workload,
  seconds: number,
): Promise<Round> {
  const before = await readCpuClock(server);
  let result = await loadOnce(generator, server, workload, seconds);
  // On a busy machine the first answer may take longer than a short round.
  if (result.answers === 0) result = await loadOnce(generator, server, workload, seconds * 10);
  const after = await readCpuClock(server);
  const { answers, latency } = result;
  if (answers === 0) throw new Error(`${server.kind.title}, ${workload.title}: no answers.`);
  const taken = before && after && timeBetween(before, after);
  return {
    throughput: answers / result.seconds,
    p50: latency.p50,
    p99: latency.p99,
    cpu: taken && { server: taken.server / answers, database: taken.database / answers },
  };
}

async function loadOnce(
  generator: LoadGenerator,
  server: Server,
  workload: Workload,
  seconds: number,
): Promise<LoadResult> {
  const { url, kind, databaseUrl } = server;
  const task = { url, workload: workload.name, words: kind.words, connections: CONNECTIONS, seconds };
  const result = await generator.run(task);
  if (result.faults.length > 0) {
    throw new Error(`${kind.title}, ${workload.title}: ${result.faults.join('; ')}`);
  }
  if (workload.kind.endsWith('read')) return result;
  const stored = await countSettled(databaseUrl);
  // A request that was under way at the end may have stored its row without its answer being counted.
  const isComplete = stored >= result.answers && stored <= result.answers + CONNECTIONS;
  if (workload.kind === 'write' && !isComplete) {
    throw new Error(`${kind.title} answered ${result.answers} writes and stored ${stored} rows.`);
  }
  await deleteWritten(databaseUrl);
  return result;
}
