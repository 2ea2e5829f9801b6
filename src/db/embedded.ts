import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { lockDataDir } from './owner-lock.ts';

export interface EmbeddedWorkerData {
  pgDataDir: string;
  socketDir: string;
  maxConnections: number;
  durable: boolean;
}

export interface EmbeddedDatabase {
  /** The folder with the unix socket, as `pg` takes it for a host. */
  socketDir: string;
  /** Resolves when it answers. */
  ready: Promise<void>;
  close: () => Promise<void>;
}

/** Connections that the embedded server takes; it runs one statement at a time all the same. */
const MAX_CONNECTIONS = 32;

/**
 * PostgreSQL as WebAssembly in a worker thread, served on a unix socket in the data folder, so that the ordinary
 * driver reaches it and the database has a core of its own. Returns while it still starts, so that others prepare
 * meanwhile.
 *
 * @param options.durable sync every commit to the disk. Tests that prove something else turn it off.
 * @throws DataDirInUse when another process owns the folder
 */
export async function startEmbeddedDatabase(
  dataDir: string,
  { durable = true }: { durable?: boolean } = {},
): Promise<EmbeddedDatabase> {
  const lock = await lockDataDir(dataDir);
  const pgDataDir = join(dataDir, 'postgres');
  mkdirSync(pgDataDir, { recursive: true, mode: 0o700 });
  const socket = join(lock.socketDir, '.s.PGSQL.5432');
  // Left behind by a crash: the lock is ours, so nobody listens on it.
  rmSync(socket, { force: true });

  const workerData: EmbeddedWorkerData = {
    pgDataDir,
    socketDir: lock.socketDir,
    maxConnections: MAX_CONNECTIONS,
    durable,
  };
  const worker = startWorker(workerData);

  let reason = 'its thread ended';
  const onEnd = () => {
    // Not to be caught: nothing can be answered any more, and whoever watches this process starts it again.
    throw new Error(
      `The embedded database ended unexpectedly (${reason}). What was answered is stored: start the gateway again.`,
    );
  };
  async function waitUntilReady(): Promise<void> {
    try {
      await Promise.race([
        once(worker, 'message').then(([message]) => {
          if (message !== 'ready') throw new Error(message);
        }),
        once(worker, 'exit').then(() => {
          throw new Error('it ended while starting');
        }),
      ]);
      chmodSync(socket, 0o600);
    } catch (cause) {
      await worker.terminate();
      await lock.release();
      throw new Error(`The embedded database in ${pgDataDir} did not start: ${(cause as Error).message}`, {
        cause,
      });
    }
    // The worker says nothing else before it is asked to stop.
    worker.once('message', (message: string) => {
      reason = message;
    });
    worker.once('exit', onEnd);
  }

  return {
    socketDir: lock.socketDir,
    ready: waitUntilReady(),
    close: async () => {
      worker.off('exit', onEnd);
      const stopped = once(worker, 'message');
      worker.postMessage('stop');
      await stopped;
      await worker.terminate();
      await lock.release();
    },
  };
}

function startWorker(workerData: EmbeddedWorkerData): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./embedded-worker.js', import.meta.url), { workerData });
  // From TypeScript sources (tests, `npm run dev`) a worker of Node 20 needs a loader of its own.
  const source = new URL('./embedded-worker.ts', import.meta.url).href;
  const bootstrap = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(source)}); })`;
  return new Worker(bootstrap, { eval: true, workerData });
}
