import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from './database.ts';
import { answerTo } from './equality.ts';
import type { Progress } from './progress.ts';
import { type ServerKind, startServer } from './servers.ts';
import { type HttpRequest, pageWorkloads, type Workload } from './workloads.ts';

/** Settings of a PostgreSQL server of our own, so that it writes down each plan as it is carried out. */
export const PLAN_SETTINGS = ['logging_collector=on', 'log_destination=jsonlog', 'log_rotation_size=0'];

/** One statement as PostgreSQL carried it out. */
interface SeenPlan {
  query: string;
  /** The tables that were read from end to end. */
  scanned: string[];
  /** The indexes that were used. */
  indexes: string[];
  milliseconds: number;
}

export interface RequestPlans {
  what: string;
  plans: SeenPlan[];
}

export interface PlansResult {
  users: number;
  requests: RequestPlans[];
}

/**
 * Sends each request of the workloads to Gatehouse, and reads from PostgreSQL's log how each statement was carried
 * out: the very statements with the very parameters, not a reconstruction.
 */
export async function collectPlans(
  gatehouse: ServerKind,
  databaseUrl: string,
  chosen: Workload[],
  progress: Progress,
): Promise<RequestPlans[]> {
  const url = new URL(databaseUrl);
  url.searchParams.set(
    'options',
    [
      '-c session_preload_libraries=auto_explain',
      '-c auto_explain.log_min_duration=0',
      '-c auto_explain.log_format=json',
      '-c auto_explain.log_nested_statements=on',
      '-c log_min_messages=log',
    ].join(' '),
  );
  const server = await startServer(gatehouse, url.href);
  const collected: RequestPlans[] = [];
  try {
    for (const { what, request, comesAgain } of planRequests(chosen)) {
      progress.update(`plans: ${what} …`);
      const from = await logSize(databaseUrl);
      await answerTo(server, request);
      collected.push({ what, plans: await plansSince(databaseUrl, from) });
      if (!comesAgain) continue;
      for (let use = 1; use < USES_UNTIL_COMPILED; use += 1) await answerTo(server, request);
      const again = await logSize(databaseUrl);
      await answerTo(server, request);
      collected.push({ what: `${what}, once compiled`, plans: await plansSince(databaseUrl, again) });
    }
  } finally {
    await server.stop();
  }
  return collected;
}

/** More than it takes Gatehouse to compile a query. */
const USES_UNTIL_COMPILED = 8;

interface PlanRequest {
  what: string;
  request: HttpRequest;
  /** Whether it is a query, which is answered in another way when it has come some times. */
  comesAgain: boolean;
}

function planRequests(chosen: Workload[]): PlanRequest[] {
  const unique = () => ({ publicKey: NEVER_SEEN_KEY, serial: 0 });
  return [...chosen, ...pageWorkloads]
    .filter(({ kind }) => kind !== 'mix')
    .flatMap(({ title, kind, requests, users }) =>
      requests(users[0] ?? 0, 'gatehouse', unique).map((request) => ({
        what: title,
        request,
        comesAgain: kind === 'graphql-read',
      })),
    );
}

/** A key of RFC 8032's first test vector: nobody has it yet, and what `plans` writes is deleted. */
const NEVER_SEEN_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea bench@laptop';

/** What stands for the size of the database: these tables grow with its users. */
const LARGE_TABLES = [
  'users',
  'api_tokens',
  'ssh_keys',
  'oauth_apps',
  'oauth_app_secrets',
  'external_auth_links',
  'audit_events',
];

/** The statements that read a large table from end to end; none should. */
export function findScans(requests: RequestPlans[]): string[] {
  return requests.flatMap(({ what, plans }) =>
    plans
      .filter(({ scanned }) => scanned.some((table) => LARGE_TABLES.includes(table)))
      .map(({ query, scanned }) => `${what}: reads all of ${scanned.join(', ')}: ${query}`),
  );
}

export function describePlans(requests: RequestPlans[]): string {
  const lines = ['', 'Statements of one request, milliseconds in PostgreSQL, indexes used'];
  for (const { what, plans } of requests) {
    lines.push('', `${what}: ${plans.length} statements`);
    for (const { milliseconds, indexes, query } of plans) {
      const used = indexes.length > 0 ? indexes.join(', ') : query.slice(0, 60);
      lines.push(`  ${milliseconds.toFixed(2).padStart(7)}  ${used}`);
    }
  }
  return lines.join('\n');
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

async function plansSince(databaseUrl: string, from: number): Promise<SeenPlan[]> {
  const text = await settledLog(databaseUrl, from);
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => (JSON.parse(line) as { message: string }).message)
    .flatMap((message) => {
      const [, milliseconds, plan] = /^duration: ([\d.]+) ms {2}plan:\n(.*)$/s.exec(message ?? '') ?? [];
      if (!plan) return [];
      const { 'Query Text': query, Plan: root } = JSON.parse(plan) as {
        'Query Text': string;
        Plan: PlanNode;
      };
      const nodes = flatten(root);
      return [
        {
          query: query.replace(/\s+/g, ' '),
          milliseconds: Number(milliseconds),
          scanned: nodes.flatMap((node) =>
            node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : [],
          ),
          indexes: [...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))],
        },
      ];
    });
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

async function logSize(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ size: string }>(
      `SELECT (pg_stat_file(pg_current_logfile('jsonlog'))).size`,
    );
    return Number(rows[0]?.size);
  });
}

/** The log is written by a process of its own: wait until it has written all. */
async function settledLog(databaseUrl: string, from: number): Promise<string> {
  let size = from;
  for (;;) {
    await sleep(300);
    const now = await logSize(databaseUrl);
    if (now === size) break;
    size = now;
  }
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ text: string }>(
      `SELECT pg_read_file(pg_current_logfile('jsonlog'), $1, $2) AS text`,
      [from, size - from],
    );
    return rows[0]?.text ?? '';
  });
}
