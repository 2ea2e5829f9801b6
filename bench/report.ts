import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge } from './goals.ts';
import {
  GOAL_P99,
  type HungProviderResult,
  ratioOf,
  SITUATION_TITLES,
  type Situation,
} from './hung-provider.ts';
import { findScans, type PlansResult } from './plans.ts';
import type { Progress } from './progress.ts';
import { type BenchResult, type Comparison, median, summarise, summaryOf } from './results.ts';
import { root } from './servers.ts';
import type { SoakResult } from './soak.ts';
import { drawSoak, drawThroughput } from './svg.ts';

const docs = join(root, 'docs');

/** The words of a person, which stay when the figures change. */
const NOTES = join(root, 'bench/notes.md');

/**
 * Writes docs/benchmarks.md and its plots.
 *
 * @param files what `--json` wrote: of a run, and of `soak`, `plans` and `hung-provider` if there were any
 */
export function report(files: string[], progress: Progress): void {
  const documents = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as object);
  const runs = documents.filter((each): each is BenchResult => 'measurements' in each);
  const result = joined(runs);
  const soak = documents.find((each): each is SoakResult => 'samples' in each);
  const plans = documents.find((each): each is PlansResult => 'requests' in each);
  const hung = documents.find((each): each is HungProviderResult => 'unrelated' in each);
  if (!result) {
    throw new Error(
      '`report` takes the result of a run: npm run bench -- --json FILE, then npm run bench -- report FILE',
    );
  }
  mkdirSync(join(docs, 'benchmarks'), { recursive: true });
  writeFileSync(join(docs, 'benchmarks/throughput.svg'), drawThroughput(result));
  if (soak) writeFileSync(join(docs, 'benchmarks/soak.svg'), drawSoak(soak.samples));
  writeFileSync(join(docs, 'benchmarks.md'), write(result, { soak, plans, hung }));
  // Tables are aligned as everywhere else.
  execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', 'docs/benchmarks.md'], {
    cwd: root,
  });
  progress.say('Wrote docs/benchmarks.md and docs/benchmarks/*.svg.');
}

/** The first run, with what only a later one has: growth and two processes take as long as all else. */
function joined([first, ...others]: BenchResult[]): BenchResult | undefined {
  const parts = others.map(({ largeUsers, growth, deepPage, workers }) => ({
    ...(growth && { largeUsers, growth, deepPage }),
    ...(workers && { workers }),
  }));
  return first && Object.assign({}, ...parts, first);
}

interface Others {
  soak: SoakResult | undefined;
  plans: PlansResult | undefined;
  hung: HungProviderResult | undefined;
}

function write(result: BenchResult, { soak, plans, hung }: Others): string {
  const { machine, settings, servers } = result;
  const limit = servers.find(({ role }) => role === 'limit')?.title;
  return [
    '# Benchmarks',
    '',
    '<!-- Written by `npm run bench -- report FILE`; the prose at the end is bench/notes.md. -->',
    '',
    `Gatehouse against ${list(servers.filter(({ role }) => role === 'peer').map(({ title }) => title))}, all on the same PostgreSQL, with the same rows and the same token check${limit ? `; and against ${limit}, which shows what the machine and the database could do at best: no GraphQL, one hand-written statement a request` : ''}. Before anything was timed, ${result.comparedAnswers} answers of all servers, and the rows that their writes stored, were compared and found equal. [bench/README.md](../bench/README.md) tells how it is done.`,
    '',
    '```sh',
    `${result.command} --json result.json`.replace(/ --json \S+ --json/, ' --json'),
    'npm run bench -- report result.json',
    '```',
    '',
    table(
      ['', ''],
      [
        ['Date', result.date.slice(0, 10)],
        ['Gatehouse', result.commit],
        ['Machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}`],
        ['Node.js', `${machine.node}; PostGraphile ${machine.peerNode}`],
        ['Database', result.postgres],
        [
          'Load',
          `${settings.connections} connections; ${settings.warmupSeconds} s to warm up, then ${settings.rounds} rounds of ${settings.seconds} s, the servers in turn; ${settings.poolSize} database connections each`,
        ],
      ],
    ),
    '',
    'The load, the servers and PostgreSQL share the machine. Compare the figures with each other, not with those of another machine.',
    '',
    '## Goals',
    '',
    table(
      ['', 'Goal', 'Measured', ''],
      judge(result).map(({ what, goal, measured, reached }) => [
        what,
        goal,
        measured,
        reached ? 'reached' : '**missed**',
      ]),
    ),
    '',
    '## Throughput',
    '',
    '![Answers a second of each server in each workload](benchmarks/throughput.svg)',
    '',
    'Answers a second: the median of the rounds, and ± half of what lies between the slowest and the fastest. Times in milliseconds; CPU is processor time an answer, of the server and of its connections in PostgreSQL.',
    ...result.workloads.flatMap(({ name, title }) => ['', `### ${title}`, '', throughputOf(result, name)]),
    ...section('Memory', memoryOf(result)),
    ...section('Start', startsOf(result)),
    ...section(
      'Growth',
      comparisonOf(result.growth, '1,000 users', `${count(result.largeUsers ?? 0)} users`),
    ),
    ...section('Deep pages', comparisonOf(result.deepPage && [result.deepPage], 'first page', 'deep page')),
    ...section('Two processes', comparisonOf(result.workers, 'one process', '`WORKERS=2`')),
    ...section('Soak', soakOf(soak)),
    ...section('A provider that hangs', hungProviderOf(hung)),
    ...section('Statements', plansOf(plans)),
    ...(existsSync(NOTES) ? ['', readFileSync(NOTES, 'utf8').trim()] : []),
    '',
  ].join('\n');
}

function section(title: string, content: string | null): string[] {
  return content ? ['', `## ${title}`, '', content] : [];
}

function throughputOf(result: BenchResult, workload: string): string {
  const own = summaryOf(result, 'gatehouse', workload);
  const rows = result.servers.flatMap(({ name, title, role }) => {
    const summary = summaryOf(result, name, workload);
    if (!summary) return [];
    const multiple = own ? `${(own.throughput / summary.throughput).toFixed(2)}×` : '';
    return [
      [
        title,
        `${count(summary.throughput)} ± ${Math.round((summary.spread / 2) * 100)}%`,
        summary.p50.toFixed(1),
        summary.p99.toFixed(1),
        summary.cpu?.server.toFixed(2) ?? '',
        summary.cpu?.database.toFixed(2) ?? '',
        role === 'gatehouse' ? '' : multiple,
      ],
    ];
  });
  return table(['', 'Answers/s', 'p50', 'p99', 'CPU', 'CPU of PostgreSQL', 'Gatehouse is'], rows);
}

function memoryOf({ servers }: BenchResult): string | null {
  const rows = servers.flatMap(({ title, memory }) =>
    memory ? [[title, `${memory.idle} MB`, `${memory.loaded} MB`]] : [],
  );
  return rows.length > 0 ? table(['Resident', 'Before the load', 'After it'], rows) : null;
}

function startsOf({ starts }: BenchResult): string | null {
  if (!starts) return null;
  const row = (what: string, times: number[]) => [
    what,
    `${count(median(times))} ms`,
    `${count(Math.min(...times))} to ${count(Math.max(...times))} ms`,
  ];
  return [
    'From the start of the process until the first 200 of `/readyz`, on data that is there.',
    '',
    table(
      ['', 'Median', `Of ${starts.embedded.length}`],
      [row('Embedded', starts.embedded), row('PostgreSQL', starts.server)],
    ),
  ].join('\n');
}

function comparisonOf(comparisons: Comparison[] | undefined, base: string, other: string): string | null {
  if (!comparisons) return null;
  const rows = comparisons.map((each) => {
    const [before, after] = [summarise(each.base), summarise(each.other)];
    return [
      each.title,
      count(before.throughput),
      count(after.throughput),
      `${(after.throughput / before.throughput).toFixed(2)}×`,
    ];
  });
  return `Answers a second of Gatehouse.\n\n${table(['', base, other, ''], rows)}`;
}

function soakOf(soak: SoakResult | undefined): string | null {
  if (!soak) return null;
  const { answers, minutes, slope, isFlat } = soak;
  return [
    `${count(answers)} answers, nine reads to one write, in ${minutes} minutes. Once settled, the resident memory changed by ${slope.resident.toFixed(1)} MB an hour, and the heap by ${slope.heap.toFixed(1)}: ${isFlat ? 'flat' : '**not flat**'}.`,
    '',
    '![Resident memory and heap over the time of the soak](benchmarks/soak.svg)',
  ].join('\n');
}

function hungProviderOf(hung: HungProviderResult | undefined): string | null {
  if (!hung) return null;
  const ratio = ratioOf(hung);
  const { workload, connections, callers, seconds, unrelated, mostHanging } = hung;
  const rows = (Object.keys(unrelated) as Situation[]).map((situation) => {
    const { throughput, p50, p99 } = summarise(unrelated[situation]);
    return [SITUATION_TITLES[situation], count(throughput), p50.toFixed(1), p99.toFixed(1)];
  });
  return [
    `Queries that ask nothing of the provider (${workload}, ${connections} connections), while nobody asks it and while ${callers} other users ask for its links and tokens all the time, and it hangs: ${unrelated.hangs.length} rounds of ${seconds} s each, in turn. Up to ${mostHanging} calls hung at once. The p99 is ${ratio.toFixed(2)}× that while nobody asks (goal: ≤ ${GOAL_P99}×, ${ratio <= GOAL_P99 ? 'reached' : '**missed**'}).`,
    '',
    table(['', 'Answers/s', 'p50', 'p99'], rows),
  ].join('\n');
}

function plansOf(plans: PlansResult | undefined): string | null {
  if (!plans) return null;
  const scans = findScans(plans.requests);
  const rows = plans.requests.map(({ what, plans: statements }) => [
    what,
    String(statements.length),
    statements.reduce((sum, { milliseconds }) => sum + milliseconds, 0).toFixed(1),
  ]);
  const verdict =
    scans.length === 0 ? 'every one uses an index' : `**${scans.length} read a table from end to end**`;
  return [
    `What one request asks of PostgreSQL at ${count(plans.users)} users, as its log of executed plans has it, the checks of foreign keys included: ${verdict}.`,
    '',
    table(['', 'Statements', 'Milliseconds'], rows),
  ].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Figures stand to the right. */
function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const isFigure = (i: number) => rows.every((row) => /^(?:[\d,.]+( .+)?|[\d.]+×|)$/.test(row[i] ?? ''));
  return [line(head), line(head.map((_, i) => (isFigure(i) ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

function list(names: string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
