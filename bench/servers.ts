import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { POOL_SIZE } from './database.ts';
import { ENCRYPTION_KEY } from './population.ts';
import type { Words } from './workloads.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const peer = (name: string) => join(root, 'bench/.build/bench/peers', `${name}.js`);

/** What `npm start` gives to Node. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const [, ...given] = scripts.start.split(' ');
  return given.map((each) => (each.endsWith('.js') ? join(root, each) : each));
}

export interface ServerKind {
  name: string;
  title: string;
  words: Words;
  /** `limit` speaks no GraphQL: it shows what the machine and the database could do at best. */
  role: 'gatehouse' | 'peer' | 'limit';
  /** The program and its arguments. */
  command: string[];
  env?: Record<string, string>;
}

export const serverKinds: ServerKind[] = [
  {
    name: 'gatehouse',
    title: 'Gatehouse',
    words: 'gatehouse',
    role: 'gatehouse',
    command: [process.execPath, ...startArguments()],
  },
  {
    name: 'mercurius',
    title: 'Mercurius + JIT',
    words: 'gatehouse',
    role: 'peer',
    command: [process.execPath, peer('mercurius')],
  },
  {
    name: 'apollo',
    title: 'Apollo Server',
    words: 'gatehouse',
    role: 'peer',
    command: [process.execPath, peer('apollo')],
  },
  {
    name: 'yoga',
    title: 'Yoga + Pothos',
    words: 'gatehouse',
    role: 'peer',
    command: [process.execPath, peer('yoga')],
  },
  {
    name: 'postgraphile',
    title: 'PostGraphile',
    words: 'postgraphile',
    role: 'peer',
    // It asks for Node 22.
    command: [join(root, 'bench/node_modules/node/bin/node'), peer('postgraphile')],
    env: { GRAPHILE_ENV: 'production' },
  },
  {
    name: 'fastify',
    title: 'Fastify + SQL',
    words: 'gatehouse',
    role: 'limit',
    command: [process.execPath, peer('fastify')],
  },
];

export interface Server {
  kind: ServerKind;
  url: string;
  databaseUrl: string;
  pid: number;
  /** Megabytes, of the process and its children. */
  memory: () => number;
  /** Hears what a server with a probe tells of itself. */
  onMessage: (hear: (message: unknown) => void) => void;
  stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const READY_INTERVAL_MS = 5;

/**
 * Starts a server and waits until it is ready.
 *
 * @param env further settings
 * @throws Error with the end of what the server wrote, when it does not get ready
 */
export async function startServer(
  kind: ServerKind,
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [program = '', ...args] = kind.command;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // In a group of its own: Ctrl-C reaches only run.ts, which ends its servers in order.
    detached: true,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      DATABASE_POOL_SIZE: String(POOL_SIZE),
      ENCRYPTION_KEYS: ENCRYPTION_KEY,
      // No server writes a line for each request.
      LOG_LEVEL: 'warn',
      ...kind.env,
      ...env,
    },
  });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output = `${output}${chunk}`.slice(-4_000);
    });
  }
  child.once('exit', () => children.delete(child));
  const stop = () => end(child);
  try {
    await waitUntilReady(url, child);
  } catch (error) {
    await stop();
    throw new Error(`${kind.title} did not start: ${(error as Error).message}\n${output}`);
  }
  return {
    kind,
    url,
    databaseUrl,
    pid: child.pid ?? 0,
    memory: () => residentMegabytes(child.pid ?? 0),
    onMessage: (hear) => child.on('message', hear),
    stop,
  };
}

/** Every process that a run has started and not yet ended. */
const children = new Set<ChildProcess>();

/** For an end in a hurry: nothing of ours outlives this process. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

export function adopt(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/** Until the first 200 of /readyz. */
async function waitUntilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}`);
    const response = await fetch(`${url}/readyz`).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    if (performance.now() > deadline) throw new Error(`not ready after ${START_TIMEOUT_MS / 1_000} seconds`);
    await sleep(READY_INTERVAL_MS);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

function residentMegabytes(pid: number): number {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss='], { encoding: 'utf8' }).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/ +/).map(Number));
  const own = processes.filter(([id, parent]) => id === pid || parent === pid);
  return Math.round(own.reduce((sum, [, , kilobytes = 0]) => sum + kilobytes, 0) / 1_024);
}
