import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach } from 'vitest';

const MAIN = 'dist/main.js';

/** Builds when a source is newer than the build. Test files run side by side: one builds, the others wait. */
export async function build(): Promise<void> {
  const lock = 'dist/.building';
  mkdirSync('dist', { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      // Left behind by a run that was killed.
      const since = existsSync(lock) ? statSync(lock).mtimeMs : Date.now();
      if (Date.now() - since > 120_000) rmdirSync(lock);
      await sleep(200);
    }
  }
  try {
    if (existsSync(MAIN) && statSync(MAIN).mtimeMs > Math.max(newest('src'), newest('prisma'))) return;
    const { status, stdout } = spawnSync(
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`The build failed:\n${stdout}`);
  } finally {
    rmdirSync(lock);
  }
}

/** Generated code follows from the rest, and is written anew before each run. */
function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  if (path === join('src', 'generated')) return 0;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

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
