import { Worker } from 'node:worker_threads';

/** What the thread is told once it is known. */
export interface EmbeddedOptions {
  pgDataDir: string;
  socketDir: string;
  maxConnections: number;
  durable: boolean;
}

let waiting: Worker | undefined;

/**
 * Begins to load the embedded database in a thread of its own, on a core of its own, before it is known where its data
 * is, and while this one loads everything else: of a start's time, it is the longest part.
 */
export function loadEmbeddedThread(): void {
  waiting ??= startThread();
  // Should the start fail, nobody waits for it.
  waiting.unref();
}

/** The thread that is loading already, or a new one. */
export function takeEmbeddedThread(options: EmbeddedOptions): Worker {
  const thread = waiting ?? startThread();
  waiting = undefined;
  thread.ref();
  thread.postMessage(options);
  return thread;
}

function startThread(): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./embedded-worker.js', import.meta.url));
  // From TypeScript sources (tests, `npm run dev`) a worker of Node 20 needs a loader of its own.
  const source = new URL('./embedded-worker.ts', import.meta.url).href;
  const bootstrap = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(source)}); })`;
  return new Worker(bootstrap, { eval: true });
}
