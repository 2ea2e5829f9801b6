import type { LoadGenerator } from './measure.ts';
import { CONNECTIONS } from './measure.ts';
import type { Progress } from './progress.ts';
import type { Server } from './servers.ts';

/** What was in use at a moment. Megabytes. */
export interface Sample {
  /** Minutes since the load began. */
  minute: number;
  resident: number;
  heap: number;
  external: number;
}

export interface SoakResult {
  date: string;
  commit: string;
  minutes: number;
  answers: number;
  samples: Sample[];
  /** Megabytes an hour, by which the memory grows once it has settled. */
  slope: { resident: number; heap: number };
  isFlat: boolean;
}

/** One load after the other: between two, what came with errors is looked at. */
const TURN_SECONDS = 10;

/** Caches fill and code is compiled: that is not a leak. */
const SETTLING_SHARE = 1 / 3;

/** Flat: over the settled part, the trend adds no more than this share of the memory. */
const MAX_GROWTH = 0.05;

/** Loads a server with the mix for some minutes, and watches its memory. */
export async function soak(
  server: Server,
  generator: LoadGenerator,
  minutes: number,
  progress: Progress,
): Promise<Pick<SoakResult, 'minutes' | 'answers' | 'samples' | 'slope' | 'isFlat'>> {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 60_000;
  const samples: Sample[] = [];
  server.onMessage((message) => {
    const { rss, heapUsed, external } = message as NodeJS.MemoryUsage;
    const megabytes = (bytes: number) => Math.round((bytes / 2 ** 20) * 10) / 10;
    samples.push({
      minute: elapsed(),
      resident: megabytes(rss),
      heap: megabytes(heapUsed),
      external: megabytes(external),
    });
  });
  let answers = 0;
  while (elapsed() < minutes) {
    const task = { url: server.url, workload: 'mix', words: server.kind.words, connections: CONNECTIONS };
    const result = await generator.run({ ...task, seconds: TURN_SECONDS });
    if (result.faults.length > 0) throw new Error(`The soak found faults: ${result.faults.join('; ')}`);
    answers += result.answers;
    const { resident = 0, heap = 0 } = samples.at(-1) ?? {};
    progress.update(
      `soak: ${elapsed().toFixed(1)} of ${minutes} minutes, ${answers.toLocaleString('en')} answers, ${resident} MB resident, ${heap} MB heap …`,
    );
  }
  const settled = samples.filter(({ minute }) => minute >= minutes * SETTLING_SHARE);
  const slope = {
    resident: slopeOf(settled.map(({ minute, resident }) => [minute / 60, resident])),
    heap: slopeOf(settled.map(({ minute, heap }) => [minute / 60, heap])),
  };
  const hours = ((settled.at(-1)?.minute ?? 0) - (settled[0]?.minute ?? 0)) / 60;
  const mean = settled.reduce((sum, { resident }) => sum + resident, 0) / settled.length;
  return { minutes, answers, samples, slope, isFlat: slope.resident * hours <= mean * MAX_GROWTH };
}

/** The slope of the line that fits best (least squares). */
function slopeOf(points: [x: number, y: number][]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
