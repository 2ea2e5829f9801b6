import { type BenchResult, median, type Summary, summarise, summaryOf } from './results.ts';

/** A figure that Gatehouse sets itself, and whether it is reached. */
export interface Goal {
  what: string;
  goal: string;
  measured: string;
  reached: boolean;
}

const GOAL_READS = 3;
const GOAL_LIMIT = 0.6;
const GOAL_WRITES = 1.2;
const GOAL_GROWTH = 0.9;
const GOAL_START_EMBEDDED_MS = 1_500;
const GOAL_START_SERVER_MS = 700;
const GOAL_MEMORY_MB = 300;

/** What a result says of the goals. One that was not measured is left out. */
export function judge(result: BenchResult): Goal[] {
  const goals: Goal[] = [];
  const atLeast = (what: string, ratio: number, goal: number, of: string) =>
    goals.push({ what, goal: `≥ ${goal}× ${of}`, measured: `${ratio.toFixed(2)}×`, reached: ratio >= goal });
  const atMost = (what: string, value: number, goal: number, unit: string) =>
    goals.push({
      what,
      goal: `≤ ${goal.toLocaleString('en')} ${unit}`,
      measured: `${Math.round(value).toLocaleString('en')} ${unit}`,
      reached: value <= goal,
    });

  for (const { name, title, kind } of result.workloads) {
    const own = summaryOf(result, 'gatehouse', name);
    if (!own) continue;
    const peers = bestPeers(result, name);
    const limit = result.servers.find(({ role }) => role === 'limit');
    const best = limit && summaryOf(result, limit.name, name);
    if (peers && kind !== 'mix') {
      const goal = kind === 'write' ? GOAL_WRITES : GOAL_READS;
      atLeast(title, own.throughput / peers.throughput, goal, `the best peer (${peers.fastest})`);
      goals.push({
        what: `${title}: p99`,
        goal: `≤ the best peer's, ${peers.p99.toFixed(1)} ms (${peers.steadiest})`,
        measured: `${own.p99.toFixed(1)} ms`,
        reached: own.p99 <= peers.p99,
      });
    }
    if (best && kind.endsWith('read')) {
      atLeast(title, own.throughput / best.throughput, GOAL_LIMIT, limit.title);
    }
  }
  for (const { title, base, other } of result.growth ?? []) {
    const ratio = summarise(other).throughput / summarise(base).throughput;
    atLeast(`growth: ${title}`, ratio, GOAL_GROWTH, 'the small set');
  }
  if (result.deepPage) {
    const { title, base, other } = result.deepPage;
    atLeast(title, summarise(other).throughput / summarise(base).throughput, GOAL_GROWTH, 'the first page');
  }
  if (result.starts) {
    atMost('start, embedded', median(result.starts.embedded), GOAL_START_EMBEDDED_MS, 'ms');
    atMost('start, PostgreSQL', median(result.starts.server), GOAL_START_SERVER_MS, 'ms');
  }
  const memory = result.servers.find(({ role }) => role === 'gatehouse')?.memory;
  if (memory) atMost('memory after load', memory.loaded, GOAL_MEMORY_MB, 'MB');
  return goals;
}

interface BestPeers {
  throughput: number;
  fastest: string;
  p99: number;
  steadiest: string;
}

function bestPeers(result: BenchResult, workload: string): BestPeers | null {
  const peers = result.servers
    .filter(({ role }) => role === 'peer')
    .map(({ name, title }) => ({ title, summary: summaryOf(result, name, workload) }))
    .filter((peer): peer is { title: string; summary: Summary } => peer.summary !== null);
  const [fastest] = peers.toSorted((a, b) => b.summary.throughput - a.summary.throughput);
  const [steadiest] = peers.toSorted((a, b) => a.summary.p99 - b.summary.p99);
  if (!fastest || !steadiest) return null;
  return {
    throughput: fastest.summary.throughput,
    fastest: fastest.title,
    p99: steadiest.summary.p99,
    steadiest: steadiest.title,
  };
}
