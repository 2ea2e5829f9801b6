import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TemporaryPostgres {
  /** The address of a database of the given name, which is made if need be. */
  databaseUrl: (name: string) => string;
  stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 30_000;

/**
 * A PostgreSQL server of our own, in a temporary folder and on a free port of the loopback, until it is stopped.
 *
 * @param settings server settings, such as `['fsync=off']`
 * @throws Error that says what to install when this machine has no PostgreSQL
 */
export async function startTemporaryPostgres(settings: string[] = []): Promise<TemporaryPostgres> {
  const bin = findBinaries();
  const owner = findOwner();
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-postgres-'));
  chmodSync(dataDir, 0o700);
  if (owner) chownSync(dataDir, owner.uid, owner.gid);
  const run = { ...owner, cwd: dataDir };

  const initArguments = [
    '-D',
    dataDir,
    '-U',
    'postgres',
    '--auth',
    'trust',
    '-E',
    'UTF8',
    '--no-locale',
    '-N',
  ];
  execFileSync(join(bin, 'initdb'), initArguments, { ...run, stdio: ['ignore', 'ignore', 'inherit'] });
  const port = await freePort();
  const flags = [`listen_addresses=127.0.0.1`, `port=${port}`, 'unix_socket_directories=', ...settings];
  const server = spawn(join(bin, 'postgres'), ['-D', dataDir, ...flags.flatMap((flag) => ['-c', flag])], {
    ...run,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  server.stderr.on('data', (chunk) => {
    log = `${log}${chunk}`.slice(-4_000);
  });
  const ended = once(server, 'exit');

  const ready = () =>
    spawnSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', `${port}`]).status === 0;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!ready()) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
      throw new Error(`The temporary PostgreSQL did not start:\n${log}`);
    }
    await sleep(50);
  }

  return {
    databaseUrl(name) {
      const connect = ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'postgres'];
      spawnSync(join(bin, 'createdb'), [...connect, name], { stdio: 'ignore' });
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    async stop() {
      // A fast shutdown: connections are ended, nothing waits for them.
      server.kill('SIGINT');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Debian keeps the server's programs out of the PATH, in a folder for each version. */
function findBinaries(): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const bin = folders.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
  if (bin) return bin;
  throw new Error(
    'There is no PostgreSQL server on this machine. Install one (Debian: apt-get install postgresql), or name a running one: TEST_DATABASE_URL=postgres://user@host/gatehouse_test',
  );
}

/** PostgreSQL refuses to run as root: then another user has to own it. */
function findOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  const user = spawnSync('id', ['postgres']).status === 0 ? 'postgres' : 'nobody';
  return { uid: id('-u', user), gid: id('-g', user) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}
