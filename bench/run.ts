/** `npm run bench`: see options.ts for what it takes, and README.md for what it does. */
import { writeFileSync } from 'node:fs';
import { measureStarts } from './cold-start.ts';
import { deleteWritten, openPostgres, POOL_SIZE, type Postgres, prepareDatabase } from './database.ts';
import { checkEquality } from './equality.ts';
import {
  describeHungProvider,
  GOAL_P99,
  HUNG_FULL,
  HUNG_QUICK,
  type HungProviderResult,
  measureHungProvider,
  ratioOf,
} from './hung-provider.ts';
import { install } from './install.ts';
import {
  CONNECTIONS,
  FULL,
  type LoadGenerator,
  measure,
  QUICK,
  startLoadGenerator,
  type Timing,
} from './measure.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { collectPlans, describePlans, findScans, PLAN_SETTINGS, type PlansResult } from './plans.ts';
import { SMALL } from './population.ts';
import { createProgress, type Progress } from './progress.ts';
import { report } from './report.ts';
import { type BenchResult, type Comparison, currentCommit, describeMachine } from './results.ts';
import { killAll, root, type Server, type ServerKind, serverKinds, startServer } from './servers.ts';
import { type SoakResult, soak } from './soak.ts';
import { printTable } from './table.ts';
import { pageWorkloads, takesPart, type Workload, workloads } from './workloads.ts';

const gatehouse = serverKinds[0] as ServerKind;
const peerNode = serverKinds.find(({ name }) => name === 'postgraphile')?.command[0] ?? process.execPath;

async function main(
  options: Options & { command: Exclude<Options['command'], 'help'> },
  progress: Progress,
): Promise<void> {
  const { command, files, json } = options;
  if (command === 'report') return report(files, progress);
  install(progress);
  const settings = command === 'plans' ? PLAN_SETTINGS : [];
  const postgres = await openPostgres(process.env.BENCH_DATABASE_URL, settings);
  stopOnSignals(postgres, progress);
  try {
    const result = await commands[command](options, postgres, progress);
    if (json) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    killAll();
    await postgres.stop();
  }
}

const commands = {
  async run(options: Options, postgres: Postgres, progress: Progress): Promise<BenchResult> {
    const result = await runBenchmark(options, postgres, progress);
    process.stdout.write(`${printTable(result)}\n`);
    return result;
  },

  async soak({ minutes }: Options, postgres: Postgres, progress: Progress): Promise<SoakResult> {
    const databaseUrl = postgres.databaseUrl('small');
    await prepareDatabase(databaseUrl, SMALL, progress);
    const generator = startLoadGenerator();
    const server = await startServer(gatehouse, databaseUrl, {
      NODE_OPTIONS: `--import ${new URL('heap-probe.mjs', import.meta.url).href}`,
    });
    const result = {
      date: new Date().toISOString(),
      commit: currentCommit(root),
      ...(await soak(server, generator, minutes, progress)),
    };
    generator.stop();
    await server.stop();
    const { resident, heap } = result.slope;
    progress.say(
      `${result.answers.toLocaleString('en')} answers in ${minutes} minutes. Once settled, resident memory grew by ${resident.toFixed(1)} MB an hour, the heap by ${heap.toFixed(1)}.`,
    );
    progress.say(result.isFlat ? 'Flat.' : 'NOT FLAT: the memory grows.');
    if (!result.isFlat) process.exitCode = 1;
    return result;
  },

  async plans({ users, only }: Options, postgres: Postgres, progress: Progress): Promise<PlansResult> {
    const databaseUrl = postgres.databaseUrl('large');
    await prepareDatabase(databaseUrl, { users }, progress);
    const plans = await collectPlans(gatehouse, databaseUrl, choose(only), progress);
    await deleteWritten(databaseUrl);
    process.stdout.write(`${describePlans(plans)}\n`);
    const scans = findScans(plans);
    if (scans.length > 0) throw new Error(`These statements use no index:\n${scans.join('\n')}`);
    const count = plans.reduce((sum, each) => sum + each.plans.length, 0);
    progress.say(`All ${count} statements use an index.`);
    return { users, requests: plans };
  },

  async 'hung-provider'(
    { quick }: Options,
    postgres: Postgres,
    progress: Progress,
  ): Promise<HungProviderResult> {
    const databaseUrl = postgres.databaseUrl('small');
    await prepareDatabase(databaseUrl, SMALL, progress);
    const generator = startLoadGenerator();
    const timing = quick ? HUNG_QUICK : HUNG_FULL;
    const result = {
      date: new Date().toISOString(),
      commit: currentCommit(root),
      ...(await measureHungProvider(gatehouse, databaseUrl, generator, timing, progress)),
    };
    generator.stop();
    await deleteWritten(databaseUrl);
    process.stdout.write(`${describeHungProvider(result)}\n`);
    if (ratioOf(result) > GOAL_P99) process.exitCode = 1;
    return result;
  },
};

async function runBenchmark(
  { quick, only, peers, growth, workers, users }: Options,
  postgres: Postgres,
  progress: Progress,
): Promise<BenchResult> {
  const timing = quick ? QUICK : FULL;
  const kinds = serverKinds.filter(({ name }) => name === 'gatehouse' || !peers || peers.includes(name));
  const chosen = choose(only);
  const small = postgres.databaseUrl('small');
  await prepareDatabase(small, SMALL, progress);

  progress.say(`Starting ${kinds.map(({ title }) => title).join(', ')} …`);
  const servers: Server[] = [];
  for (const kind of kinds) servers.push(await startServer(kind, small));
  const idle = servers.map((server) => server.memory());

  progress.say('Comparing their answers …');
  const comparedAnswers = await checkEquality(servers, chosen);
  progress.say(`${comparedAnswers} answers are equal.`);
  await deleteWritten(small);

  const generator = startLoadGenerator();
  const result: BenchResult = {
    version: 1,
    date: new Date().toISOString(),
    commit: currentCommit(root),
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, ''),
    machine: describeMachine(peerNode),
    postgres: await postgres.describe(),
    settings: { connections: CONNECTIONS, poolSize: POOL_SIZE, ...timing },
    comparedAnswers,
    servers: [],
    workloads: chosen.map(({ name, title, kind }) => ({ name, title, kind })),
    measurements: [],
  };
  for (const workload of chosen) {
    const contenders = servers
      .filter(({ kind }) => takesPart(kind.role, workload))
      .map((server) => ({ name: server.kind.name, server, workload }));
    const rounds = await measure(generator, contenders, workload.title, timing, progress);
    for (const [i, { name }] of contenders.entries()) {
      result.measurements.push({ server: name, workload: workload.name, rounds: rounds[i] ?? [] });
    }
    progress.say(`Measured: ${workload.title}`);
  }
  result.servers = servers.map(({ kind: { name, title, role }, memory }, i) => ({
    ...{ name, title, role },
    memory: { idle: idle[i] ?? 0, loaded: memory() },
  }));
  for (const server of servers) await server.stop();

  if (!only) result.starts = await measureStarts(gatehouse, small, quick ? 3 : 7, progress);

  const compare = (others: { databaseUrl: string; env?: Record<string, string> }, reads: Workload[]) =>
    compareGatehouses(small, others, reads, { generator, timing, progress });
  const reads = chosen.filter(({ kind }) => kind.endsWith('read'));
  if (growth) {
    const large = postgres.databaseUrl('large');
    await prepareDatabase(large, { users }, progress);
    result.largeUsers = users;
    result.growth = await compare({ databaseUrl: large }, chosen);
    result.deepPage = await compareDeepPage(large, generator, timing, progress);
  }
  if (workers) result.workers = await compare({ databaseUrl: small, env: { WORKERS: '2' } }, reads);
  generator.stop();
  return result;
}

function choose(only: string[] | null): Workload[] {
  return workloads.filter(({ name }) => !only || only.includes(name));
}

/** Gatehouse against itself, elsewhere or set up otherwise. */
async function compareGatehouses(
  databaseUrl: string,
  other: { databaseUrl: string; env?: Record<string, string> },
  chosen: Workload[],
  { generator, timing, progress }: { generator: LoadGenerator; timing: Timing; progress: Progress },
): Promise<Comparison[]> {
  const servers = [
    await startServer(gatehouse, databaseUrl),
    await startServer(gatehouse, other.databaseUrl, other.env),
  ];
  const comparisons: Comparison[] = [];
  const contendersOf = (workload: Workload) =>
    servers.map((server, i) => ({ name: i === 0 ? 'base' : 'other', server, workload }));
  // Of several workers, the others start when the first one serves: one round is not counted.
  const [first] = chosen;
  if (first) await measure(generator, contendersOf(first), 'start', { ...timing, rounds: 1 }, progress);
  for (const workload of chosen) {
    const contenders = contendersOf(workload);
    const [base = [], compared = []] = await measure(generator, contenders, workload.title, timing, progress);
    comparisons.push({ workload: workload.name, title: workload.title, base, other: compared });
    progress.say(`Compared: ${workload.title}`);
  }
  for (const server of servers) await server.stop();
  return comparisons;
}

async function compareDeepPage(
  databaseUrl: string,
  generator: LoadGenerator,
  timing: Timing,
  progress: Progress,
): Promise<Comparison> {
  const server = await startServer(gatehouse, databaseUrl);
  const contenders = pageWorkloads.map((workload) => ({ name: workload.name, server, workload }));
  const [base = [], other = []] = await measure(generator, contenders, 'deep pages', timing, progress);
  await server.stop();
  return { workload: 'deep-page', title: pageWorkloads[1]?.title ?? '', base, other };
}

/** Ends what was started, by its id, also when the run is interrupted or its output is cut off. */
function stopOnSignals(postgres: Postgres, progress: Progress): void {
  const stop = async (why: unknown) => {
    progress.say(why instanceof Error ? String(why.stack) : 'Stopping what was started …');
    killAll();
    await postgres.stop();
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
  process.once('uncaughtException', stop);
}

const progress = createProgress();
try {
  const options = parseOptions(process.argv.slice(2));
  const { command } = options;
  if (command === 'help') process.stdout.write(`${USAGE}\n`);
  else await main({ ...options, command }, progress);
} catch (error) {
  progress.say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
