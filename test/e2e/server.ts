import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

const MAIN = 'dist/main.js';

export type Env = Record<string, string>;

/** Settings of the machine that runs the tests must not reach the processes. */
function spawnMain(args: string[], env: Env): ChildProcess & { text: { out: string; err: string } } {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, HOME, TMPDIR, ...env } });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    text.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.err += chunk;
  });
  return Object.assign(child, { text });
}

/** A command that ends by itself. */
export async function run(
  args: string[],
  env: Env,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawnMain(args, env);
  const [code] = await once(child, 'close');
  return { code, ...child.text };
}

export interface RunningServer {
  pid: number;
  origin: string;
  /** What it wrote to standard output. */
  greeting: string;
  /** What it wrote to standard error. */
  log: () => string;
  /** The exit code, when it has ended; null when a signal ended it. */
  ended: Promise<number | null>;
  stop: (signal: NodeJS.Signals) => Promise<number | null>;
}

const running = new Set<ChildProcess>();

/** `gatehouse serve` on a free port, once it has greeted. */
export async function serve(env: Env): Promise<RunningServer> {
  const child = spawnMain(['serve'], { PORT: '0', ...env });
  running.add(child);
  const closed = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  const greeted = (async () => {
    while (!child.text.out.includes('Stop with Ctrl-C.')) await once(child.stdout ?? child, 'data');
  })();
  await Promise.race([
    greeted,
    closed.then((code) => {
      throw new Error(`The server ended with ${code}:\n${child.text.err}`);
    }),
  ]);
  const [, origin = ''] = /serves at (\S+)/.exec(child.text.out) ?? [];
  return {
    pid: child.pid ?? 0,
    origin,
    greeting: child.text.out,
    log: () => child.text.err,
    ended: closed,
    stop: (signal) => {
      child.kill(signal);
      return closed;
    },
  };
}

/** A data folder for each test. What a test leaves running is ended before its folder goes. */
export function useDataDir(): { readonly path: string } {
  const dataDir = { path: '' };
  beforeEach(() => {
    dataDir.path = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  });
  afterEach(() => {
    killAll();
    rmSync(dataDir.path, { recursive: true, force: true });
  });
  return dataDir;
}

/** For `afterEach`: a test that failed half-way leaves nothing running. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Runs an operation at `/graphql`. */
export async function graphql(origin: string, token: string, query: string, variables: object = {}) {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  return { status: response.status, headers: response.headers, ...((await response.json()) as any) };
}
