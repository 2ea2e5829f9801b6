import { randomUUID } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { sha256Hex } from '../secrets/hash.ts';

/** What the owner of a data folder tells whoever asks. */
export interface Owner {
  pid: number;
  /** The folder with the unix socket on which PostgreSQL's protocol is served. */
  socketDir: string;
}

export interface OwnerLock {
  socketDir: string;
  release: () => Promise<void>;
}

class DataDirInUse extends OperatorError {
  constructor(dataDir: string, owner: Owner) {
    super(
      `The data folder ${dataDir} is in use by process ${owner.pid}. Stop that process, or set DATA_DIR to another folder.`,
    );
  }
}

/** The kernel's limit on a unix socket's path (108 bytes on Linux, 104 on macOS), less our longest file name. */
const MAX_SOCKET_DIR = 80;

/**
 * One process owns a data folder. The lock is a listening unix socket: the kernel drops it with its process,
 * however that ends, and it cannot be confused by a process id that was given out again (in a container the
 * gateway is process 1 on every start).
 *
 * @throws DataDirInUse when another process owns the folder
 */
export async function lockDataDir(dataDir: string): Promise<OwnerLock> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const socketDir = socketDirOf(dataDir);
  const path = join(socketDir, 'owner.sock');
  const answer: Owner = { pid: process.pid, socketDir };

  for (;;) {
    const server = await listen(path, answer);
    if (server) {
      chmodSync(path, 0o600);
      return { socketDir, release: () => new Promise((done) => server.close(() => done())) };
    }
    const owner = await ask(path);
    if (owner) throw new DataDirInUse(dataDir, owner);
    await removeStale(path, dataDir);
  }
}

/** The process that owns a data folder now, if any. */
export async function findOwner(dataDir: string): Promise<Owner | undefined> {
  try {
    return await ask(join(socketDirOf(dataDir), 'owner.sock'));
  } catch {
    return undefined;
  }
}

/** The data folder itself, or where its path is too long for a socket, a private folder that is derived from it. */
function socketDirOf(dataDir: string): string {
  const real = realpathSync(dataDir);
  if (Buffer.byteLength(real) <= MAX_SOCKET_DIR) return real;
  const dir = join(tmpdir(), `gatehouse-${sha256Hex(real).slice(0, 16)}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // The name can be guessed: somebody else on this machine may have made the folder first.
  const stat = lstatSync(dir);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0) {
    throw new OperatorError(
      `${dir} is not a private folder of this user. Remove it, or set DATA_DIR to a shorter path.`,
    );
  }
  return dir;
}

function listen(path: string, answer: Owner): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(JSON.stringify(answer));
    });
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
  });
}

function ask(path: string): Promise<Owner | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      try {
        resolve(JSON.parse(text));
      } catch {
        resolve(undefined);
      }
    });
  });
}

/**
 * Removes the socket of a dead owner. Two processes may both have seen it dead, and the slower one would then
 * remove the faster one's new lock: so it is moved aside first, and moved back if it turns out to be alive.
 */
async function removeStale(path: string, dataDir: string): Promise<void> {
  const aside = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const owner = await ask(aside);
  if (owner) {
    renameSync(aside, path);
    throw new DataDirInUse(dataDir, owner);
  }
  rmSync(aside, { force: true });
}
