import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import type { WorkloadKind } from './workloads.ts';

export interface Round {
  /** Answers a second. */
  throughput: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Milliseconds of processor time an answer took, of the server and of PostgreSQL; null where they cannot be told. */
  cpu: { server: number; database: number } | null;
}

/** One server in one workload. */
interface Measurement {
  server: string;
  workload: string;
  rounds: Round[];
}

interface ServerFacts {
  name: string;
  title: string;
  role: 'gatehouse' | 'peer' | 'limit';
  /** Megabytes resident: before the first request, and after the last. */
  memory: { idle: number; loaded: number } | null;
}

interface WorkloadFacts {
  name: string;
  title: string;
  kind: WorkloadKind;
}

/** Gatehouse alone: how the large set compares with the small one, or two processes with one. */
export interface Comparison {
  workload: string;
  title: string;
  base: Round[];
  other: Round[];
}

export interface BenchResult {
  version: 1;
  date: string;
  commit: string;
  command: string;
  machine: { cpu: string; cores: number; memoryGb: number; system: string; node: string; peerNode: string };
  postgres: string;
  settings: { connections: number; poolSize: number; rounds: number; seconds: number; warmupSeconds: number };
  /** Answers found equal before anything was timed. */
  comparedAnswers: number;
  servers: ServerFacts[];
  workloads: WorkloadFacts[];
  measurements: Measurement[];
  /** Milliseconds until the first 200 of /readyz, of each start. */
  starts?: { embedded: number[]; server: number[] };
  largeUsers?: number;
  growth?: Comparison[];
  workers?: Comparison[];
  /** A page deep in a list against its first, in the large set. */
  deepPage?: Comparison;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

export interface Summary {
  throughput: number;
  /** How far the rounds lie apart, as a share of the median. */
  spread: number;
  p50: number;
  p99: number;
  cpu: Round['cpu'];
}

export function summarise(rounds: Round[]): Summary {
  const throughputs = rounds.map(({ throughput }) => throughput);
  const throughput = median(throughputs);
  const cpus = rounds.flatMap(({ cpu }) => cpu ?? []);
  return {
    throughput,
    spread: (Math.max(...throughputs) - Math.min(...throughputs)) / throughput,
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    cpu:
      cpus.length > 0
        ? {
            server: median(cpus.map(({ server }) => server)),
            database: median(cpus.map(({ database }) => database)),
          }
        : null,
  };
}

export function summaryOf(result: BenchResult, server: string, workload: string): Summary | null {
  const found = result.measurements.find((each) => each.server === server && each.workload === workload);
  return found ? summarise(found.rounds) : null;
}

export function describeMachine(peerNode: string): BenchResult['machine'] {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    peerNode: execFileSync(peerNode, ['--version'], { encoding: 'utf8' }).trim(),
  };
}

export function currentCommit(cwd: string): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
