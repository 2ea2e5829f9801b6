import type { Words } from './workloads.ts';

/** What the load generator is told, and what it answers: apart from it, for it needs packages of bench/ alone. */
export interface LoadTask {
  url: string;
  workload: string;
  words: Words;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  /** Answers within the time measured. */
  answers: number;
  seconds: number;
  /** In milliseconds. */
  latency: { p50: number; p99: number; max: number };
  /** What went wrong; empty when nothing did. */
  faults: string[];
}
