import { fsyncSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import type { EmbeddedWorkerData } from './embedded.ts';

/** What we use of Emscripten's file system, which PGlite does not type. */
interface EmscriptenNodeFs {
  FS: { filesystems: { NODEFS: { stream_ops: { fsync?: (stream: { nfd: number }) => number } } } };
}

/**
 * PGlite runs with fsync off and Emscripten's NODEFS has none. With both mended a commit is on the disk when it
 * is answered, so that a power cut loses nothing that was acknowledged.
 */
class DurableNodeFS extends NodeFS {
  override async init(...[pg, options]: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(pg, options);
    const installFsync = (module: unknown) => {
      (module as EmscriptenNodeFs).FS.filesystems.NODEFS.stream_ops.fsync = (stream) => {
        fsyncSync(stream.nfd);
        return 0;
      };
    };
    return {
      emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), installFsync] },
    };
  }
}

/** Messages of the extended query protocol that a Sync has to follow: Parse, Bind, Describe, Execute, Close, Flush. */
const BEFORE_SYNC = new Set([...'PBDECH'].map((type) => type.charCodeAt(0)));

const ERROR_RESPONSE = 'E'.charCodeAt(0);

/** What the backend says when it ends. A server would start another one; here it says so over and over. */
function fatalMessage(answer: Uint8Array): string | undefined {
  if (answer[0] !== ERROR_RESPONSE) return undefined;
  const fields = Buffer.from(answer).toString('latin1').split('\0');
  const isFatal = fields.includes('VFATAL') || fields.includes('VPANIC');
  return isFatal ? fields.find((field) => field.startsWith('M'))?.slice(1) : undefined;
}

/**
 * Without its backend the socket server would keep everybody waiting for good. The process that owns this worker ends
 * with it, and recovers on its next start, as after a crash.
 */
function endWorker(reason: unknown): never {
  parentPort?.postMessage(String(reason));
  process.exit(1);
}

/**
 * The socket server hands over one protocol message at a time, of whichever connection is next, and holds others
 * back only within a transaction block. All connections share one backend: between one's Parse and its Execute
 * another's Parse would replace the unnamed statement, and the rows of that one would be answered to the first. So
 * everything up to the Sync counts as a transaction.
 */
class SharedPGlite extends PGlite {
  #awaitsSync = false;

  override async execProtocolRawStream(
    ...[message, options]: Parameters<PGlite['execProtocolRawStream']>
  ): Promise<void> {
    this.#awaitsSync = BEFORE_SYNC.has(message[0] ?? 0);
    try {
      await super.execProtocolRawStream(message, {
        ...options,
        onRawData: (answer) => {
          options?.onRawData?.(answer);
          const fatal = fatalMessage(answer);
          if (fatal) endWorker(fatal);
        },
      });
    } catch (error) {
      endWorker(error);
    }
  }

  override isInTransaction(): boolean {
    return this.#awaitsSync || super.isInTransaction();
  }

  /** How the server ends what a connection that went away left open. */
  override async exec(...args: Parameters<PGlite['exec']>): ReturnType<PGlite['exec']> {
    this.#awaitsSync = false;
    return super.exec(...args);
  }
}

const { pgDataDir, socketDir, maxConnections, durable } = workerData as EmbeddedWorkerData;

const startParams = durable
  ? [...PGlite.defaultStartParams.filter((param) => param !== '-F'), '-c', 'wal_sync_method=fsync']
  : PGlite.defaultStartParams;

const db = new SharedPGlite({
  fs: durable ? new DurableNodeFS(pgDataDir) : new NodeFS(pgDataDir),
  startParams,
});
await db.waitReady;
const server = new PGLiteSocketServer({ db, path: join(socketDir, '.s.PGSQL.5432'), maxConnections });
await server.start();

parentPort?.once('message', async () => {
  await server.stop();
  await db.close();
  parentPort?.postMessage('stopped');
});
parentPort?.postMessage('ready');
