import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, parseConfig } from '../config.ts';
import { OperatorError } from '../errors.ts';
import { createLog } from '../log.ts';
import type { RunningServer } from './start-server.ts';
import { endIfLate } from './stop-signal.ts';

// One port, several processes. The primary holds the port, hands its connections to the workers in turn, and sees to
// it that there are as many workers as there should be. It opens no database and answers nobody, so that there is
// little that it could fail at. Workers are to each other what replicas are: what they share is in the database.
//
// The first worker starts as a single process does, with migrations and the first token; the others join it. The
// primary tells them their settings, over the pipe that it has to each: whatever takes the place of a crashed worker
// is set up as that one was, though a file may say something else by then.

/** What a worker is told: how to start, and later when to end. `retire`: another one has taken its place. */
type ToWorker = Order | 'stop' | 'retire';

interface Order {
  config: Config;
  /** The real port, once others serve on it: see `startServer`. */
  joinsAt?: number;
}

/** What a worker tells. `here`: it hears now; what was said before is lost. */
type FromWorker = { say: 'here' } | Ready | { say: 'failed'; reason: string };

interface Ready {
  say: 'ready';
  port: number;
  publicUrl: string;
  greeting: string;
}

/** A worker that ends sooner after its start may have a fault that its successor has, too. */
const STEADY_MS = 10_000;
/** The pause before the next try after a fault, doubled with each that follows. */
const PAUSE_MS = { first: 250, longest: 10_000 };
/** So many tries in a row with no worker left: whoever supervises the gateway has to know. */
const MAX_TRIES = 5;

/**
 * The primary: serves with several workers until it is told to stop. SIGHUP replaces them one by one, with the
 * configuration file as it is then.
 *
 * @throws OperatorError when the first worker does not start, or none is left and none starts any more
 */
export async function serveWithWorkers(initial: Config, stopped: Promise<void>): Promise<void> {
  // Settings hold bytes and patterns, which JSON has not.
  cluster.setupPrimary({ serialization: 'advanced' });
  const log = createLog(initial.log);
  /** Those that serve and are meant to, with the settings that they were given. */
  const workers = new Map<Worker, Config>();
  const stopping = new AbortController();
  let joinsAt: number | undefined;
  /** The settings for new workers, and those that the last one started with. */
  let config = initial;
  let proven = initial;
  let restarting = false;
  let draining = false;
  let faulty = false;
  let wake = () => {};

  async function add(): Promise<Ready> {
    const given = config;
    const { worker, ready } = startWorker({ config: given, joinsAt }, stopping.signal);
    const told = await ready;
    const { pid } = worker.process;
    const start = performance.now();
    workers.set(worker, given);
    proven = given;
    log.info({ worker: pid }, 'a worker serves');
    worker.once('exit', (code, signal) => {
      // Otherwise it was told to end.
      if (!workers.delete(worker) || stopping.signal.aborted) return;
      log.error({ worker: pid, code, signal }, 'a worker ended unexpectedly');
      faulty ||= performance.now() - start < STEADY_MS;
      wake();
    });
    return told;
  }

  /** Starts the workers that are missing. */
  async function fill(tries: number): Promise<void> {
    const missing = config.workers - workers.size;
    const started = await Promise.allSettled(Array.from({ length: missing }, add));
    const failure = started.find((each) => each.status === 'rejected');
    if (!failure || stopping.signal.aborted) return;
    if (workers.size === 0 && tries >= MAX_TRIES) throw failure.reason;
    log.error({ reason: failure.reason.message }, 'a worker cannot start, trying again');
    faulty = true;
    if (config === proven) return;
    restarting = false;
    config = proven;
  }

  /** Starts a worker in the place of one with former settings, which serves until then. */
  async function replaceOne(): Promise<void> {
    const next = config;
    const [former] = [...workers].find(([, given]) => given !== next) ?? [];
    if (!former) {
      restarting = false;
      return log.info('restarted');
    }
    try {
      await add();
    } catch (error) {
      // A later SIGHUP may have brought other settings.
      if (stopping.signal.aborted || config !== next) return;
      restarting = false;
      config = proven;
      return log.error({ reason: messageOf(error) }, 'a new worker cannot start, the former ones go on');
    }
    if (!workers.delete(former)) return;
    draining = true;
    former.once('exit', () => {
      draining = false;
      wake();
    });
    tell(former, 'retire');
  }

  async function keepServing(): Promise<void> {
    let tries = 1;
    while (!stopping.signal.aborted) {
      if (workers.size < config.workers) {
        tries = faulty ? tries + 1 : 1;
        faulty = false;
        const pause = tries === 1 ? 0 : Math.min(PAUSE_MS.first * 2 ** (tries - 2), PAUSE_MS.longest);
        await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
        if (!stopping.signal.aborted) await fill(tries);
      } else if (restarting && !draining) {
        await replaceOne();
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  process.on('SIGHUP', () => {
    try {
      config = parseConfig(process.env);
      restarting = true;
      log.info('restarting');
      wake();
    } catch (error) {
      log.error(
        { reason: messageOf(error) },
        'the new settings are wrong, the workers go on with the former ones',
      );
    }
  });
  void stopped.then(() => {
    log.info('stopping');
    endIfLate(initial.limits);
    stopping.abort();
    // Also those that are just starting or ending.
    for (const worker of living()) tell(worker, 'stop');
    wake();
  });

  try {
    const { port, publicUrl, greeting } = await add();
    joinsAt = port;
    log.info({ publicUrl, port, workers: config.workers }, 'serving');
    process.stdout.write(`${greeting}\n`);
    await keepServing();
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  }
  const ends = await Promise.all(living().map((worker) => once(worker, 'exit')));
  if (ends.some(([code]) => code !== 0)) process.exitCode = 1;
  log.info('stopped');
}

function startWorker(order: Order, stopping: AbortSignal): { worker: Worker; ready: Promise<Ready> } {
  // With the arguments and the environment of this process.
  const worker = cluster.fork();
  const ready = new Promise<Ready>((resolve, reject) => {
    const fail = (reason: string) => reject(new OperatorError(reason));
    worker.on('message', (message: FromWorker) => {
      if (message.say === 'here') tell(worker, stopping.aborted ? 'stop' : order);
      else if (message.say === 'ready') resolve(message);
      else fail(message.reason);
    });
    worker.once('exit', (code, signal) =>
      fail(`A worker ended with ${signal ?? code} before it could serve.`),
    );
    // There is no memory left, or no process.
    worker.on('error', reject);
  });
  return { worker, ready };
}

function living(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && !worker.isDead(),
  ) as Worker[];
}

/** A worker that is just ending hears no more, which is no fault. */
function tell(worker: Worker, message: ToWorker): void {
  worker.send(message as object, () => {});
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A worker: serves as the primary tells it, and ends when told, at a signal of its own, or with the primary: Node
 * ends a worker whose pipe to its primary breaks, so that none is left behind.
 */
export async function serveAsWorker(signalled: Promise<void>): Promise<void> {
  // It is for the primary. A terminal that closes sends it to each process.
  process.on('SIGHUP', () => {});
  const order = new Promise<Order>((resolve) => {
    process.on('message', (message: ToWorker) => typeof message === 'object' && resolve(message));
  });
  const ending = new Promise<'stop' | 'retire'>((resolve) => {
    process.on('message', (message: ToWorker) => typeof message === 'string' && resolve(message));
    void signalled.then(() => resolve('stop'));
  });
  await say({ say: 'here' });
  const told = await Promise.race([order, ending]);
  if (typeof told === 'string') process.exit(0);

  const { config } = told;
  const server = await startAsTold(told);
  const { port, publicUrl, greeting } = server;
  await say({ say: 'ready', port, publicUrl, greeting });
  const replaced = (await ending) === 'retire';
  endIfLate(config.limits);
  await server.close({ replaced });
  // The pipe to the primary would keep it.
  process.exit(0);
}

async function startAsTold({ config, joinsAt }: Order): Promise<RunningServer> {
  try {
    const { startServer } = await import('./start-server.ts');
    return await startServer(config, createLog(config.log), { joinsAt });
  } catch (error) {
    const { explain } = await import('./failure.ts');
    await say({ say: 'failed', reason: explain(error) });
    process.exit(1);
  }
}

/** Resolves when it was sent. */
function say(message: FromWorker): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}
