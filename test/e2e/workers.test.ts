import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { stubEnv } from '../external-auth/link-account.ts';
import { type EventSource, openEvents } from '../graphql/event-source.ts';
import { makeDatabase } from '../harness.ts';
import { onServer } from '../harness-server.ts';
import { json, startStub } from '../upstream/stub.ts';
import { type Env, graphql, killAll, type RunningServer, run, serve } from './server.ts';

// Several processes on one port, as their users and their operators see them.

// Processes take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const TOKEN = `bootstrap-${randomUUID()}`;
const KEY = Buffer.alloc(32, 7).toString('base64');
const ME = '{ viewer { username } }';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  killAll();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What is true sooner or later. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const start = Date.now();
  while (!(await isSo())) {
    if (Date.now() - start > 60_000) throw new Error(`It did not come to pass: ${isSo}`);
    await sleep(20);
  }
}

/** The lines of the log with this message. */
function linesOf(server: RunningServer, message: string): Record<string, unknown>[] {
  const lines = server.log().match(/^\{.*\}$/gm) ?? [];
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);
}

/** Every worker that has served so far, in order of their start. */
const startedWorkers = (server: RunningServer) =>
  linesOf(server, 'a worker serves').map(({ worker }) => Number(worker));

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @returns the status, null when a kept connection ended before the server took the request, and who answered */
async function ask(server: RunningServer, { agent, token = TOKEN }: { agent?: Agent; token?: string } = {}) {
  const id = randomUUID();
  const status = await new Promise<number | null>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-request-id': id,
    };
    const asking = request(
      `${server.origin}/graphql`,
      { method: 'POST', agent: agent ?? false, headers },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      },
    );
    asking.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' && asking.reusedSocket) resolve(null);
      else reject(error);
    });
    asking.end(JSON.stringify({ query: ME }));
  });
  /** The log is written a little later than the answer. */
  const answeredBy = async () => {
    const mine = () => linesOf(server, 'request').find(({ requestId }) => requestId === id);
    await until(() => mine() !== undefined);
    return Number(mine()?.pid);
  };
  return { status, answeredBy };
}

/** A connection to each worker, that stays open. */
async function connectToEach(server: RunningServer, workers: number): Promise<Map<number, Agent>> {
  const agents = new Map<number, Agent>();
  await until(async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const pid = await (await ask(server, { agent })).answeredBy();
    if (agents.has(pid)) agent.destroy();
    else agents.set(pid, agent);
    return agents.size === workers;
  });
  cleanups.push(() => {
    for (const agent of agents.values()) agent.destroy();
  });
  return agents;
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

describe('WORKERS', () => {
  it('above 1 is a wrong setting without a server: one process owns the embedded database', async () => {
    const { code, out, err } = await run(['serve'], { PORT: '0', WORKERS: '2' });
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'The configuration is wrong:\n  - WORKERS takes 1 without DATABASE_URL: one process owns the embedded database. Set DATABASE_URL to use more cores.\n',
    );
  });

  it('says once, in plain words, why no worker can start', async () => {
    const port = await closedPort();
    const { code, out, err } = await run(['serve'], {
      PORT: '0',
      WORKERS: '3',
      DATABASE_URL: `postgres://user:hunter2@127.0.0.1:${port}/x`,
      ENCRYPTION_KEYS: KEY,
    });
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      `The database at 127.0.0.1:${port} cannot be reached (ECONNREFUSED). Start it, or correct DATABASE_URL.\n`,
    );
  });
});

// Several processes on one database take a server.
if (process.env.TEST_DATABASE_URL) {
  const serverUrl = process.env.TEST_DATABASE_URL;

  async function freshEnv(more: Env = {}): Promise<Env> {
    const { databaseSettings, remove } = await makeDatabase();
    cleanups.push(remove);
    return {
      ...databaseSettings,
      WORKERS: '2',
      DATABASE_POOL_SIZE: '3',
      ENCRYPTION_KEYS: KEY,
      GATEHOUSE_BOOTSTRAP_TOKEN: TOKEN,
      ...more,
    };
  }

  /** A gateway with all of its workers. */
  async function serveWithAll(env: Env): Promise<RunningServer> {
    const server = await serve(env);
    await until(() => startedWorkers(server).length === Number(env.WORKERS));
    // Later than the gateway, which ends its workers: what a failed test leaves behind.
    cleanups.push(() => until(() => startedWorkers(server).every((pid) => !isAlive(pid))));
    return server;
  }

  describe('several workers', () => {
    it('answer on one port, greet once, and have arguments and an environment like their primary', async () => {
      const server = await serveWithAll(await freshEnv({ WORKERS: '3', GATEHOUSE_BOOTSTRAP_TOKEN: '' }));
      const [, token = ''] = /Bearer (gth_\S+?)'/.exec(server.greeting) ?? [];
      expect(server.greeting.match(/serves at/g)).toHaveLength(1);
      expect(server.log()).not.toContain(token);

      const workers = startedWorkers(server);
      const answered = new Set<number>();
      for (let n = 0; n < 9; n += 1) {
        const { status, answeredBy } = await ask(server, { token });
        expect(status).toBe(200);
        answered.add(await answeredBy());
      }
      expect([...answered].sort()).toEqual([...workers].sort());
      expect(workers).not.toContain(server.pid);

      // Others on the machine may read them.
      if (process.platform === 'linux') {
        const read = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0');
        const ofNode = /^NODE_(CHANNEL_|UNIQUE_ID=)/;
        for (const pid of workers) {
          const [node, main = '', ...args] = read(server.pid, 'cmdline');
          expect(read(pid, 'cmdline')).toEqual([node, resolve(main), ...args]);
          const environment = read(pid, 'environ').filter((line) => !ofNode.test(line));
          expect(environment.sort()).toEqual(read(server.pid, 'environ').sort());
        }
      }

      expect(await server.stop('SIGTERM')).toBe(0);
      expect(workers.filter(isAlive)).toEqual([]);
      for (const message of ['serving', 'stopping', 'stopped']) {
        expect(linesOf(server, message), message).toHaveLength(1);
      }
    });

    it('stop taking a revoked token, each of them', async () => {
      const server = await serveWithAll(await freshEnv());
      const make =
        'mutation { createApiToken(input: {name: "t", scopes: [USER_READ]}) { ... on CreateApiTokenPayload { token apiToken { id } } } }';
      const { token, apiToken } = (await graphql(server.origin, TOKEN, make)).data.createApiToken;
      const connections = [...(await connectToEach(server, 2)).values()];
      const statuses = () =>
        Promise.all(connections.map(async (agent) => (await ask(server, { agent, token })).status));
      // Twice: by then, both keep the token's row.
      expect([await statuses(), await statuses()]).toEqual([
        [200, 200],
        [200, 200],
      ]);
      const revoke =
        'mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { ... on RevokeApiTokenPayload { __typename } } }';
      await graphql(server.origin, TOKEN, revoke, { id: apiToken.id });
      const revoked = Date.now();
      await until(async () => (await statuses()).every((status) => status === 401));
      // Without the news of it, a row is kept for five seconds.
      expect(Date.now() - revoked).toBeLessThan(4_000);
    });

    it('tell each other of changes: a stream of one hears what another did', async () => {
      const stub = await startStub();
      cleanups.push(() => stub.close());
      const device = {
        device_code: 'a-device-code',
        user_code: 'ABCD',
        verification_uri: `${stub.origin}/device`,
        interval: 1,
        expires_in: 600,
      };
      stub.on('POST /forge/device', json(device));
      stub.on('POST /forge/token', json({ access_token: 'an-access-token', expires_in: 3_600 }));
      stub.on('GET /forge/userinfo', json({ sub: '1', name: 'Ada' }));
      const server = await serveWithAll(
        await freshEnv(
          stubEnv(0, 'forge', stub.origin, {
            DEVICE_FLOW: 'true',
            DEVICE_CODE_URL: `${stub.origin}/forge/device`,
          }),
        ),
      );
      const fetchFrom = (path: string, { token, ...init }: RequestInit & { token?: string } = {}) => {
        const headers = new Headers(init.headers);
        headers.set('authorization', `Bearer ${token}`);
        return fetch(`${server.origin}${path}`, { ...init, headers });
      };
      // Connections are handed out in turn: of two streams, each is another worker's.
      const streams: EventSource[] = [];
      for (let n = 0; n < 2; n += 1) {
        streams.push(
          await openEvents(
            { fetch: fetchFrom },
            'subscription { externalAuthLinkChanged { providerId change } }',
            {
              token: TOKEN,
            },
          ),
        );
      }
      cleanups.push(() => Promise.all(streams.map((stream) => stream.close())));
      const begun = await graphql(
        server.origin,
        TOKEN,
        'mutation { startExternalAuthDevice(input: { providerId: "forge" }) { __typename } }',
      );
      expect(begun.data.startExternalAuthDevice.__typename).toBe('StartExternalAuthDevicePayload');
      const linked = await graphql(
        server.origin,
        TOKEN,
        'mutation { exchangeExternalAuthDevice(input: { providerId: "forge" }) { __typename } }',
      );
      expect(linked.data.exchangeExternalAuthDevice.__typename).toBe('ExchangeExternalAuthDevicePayload');
      for (const stream of streams) {
        expect((await stream.next())?.data.externalAuthLinkChanged).toEqual({
          providerId: 'forge',
          change: 'LINKED',
        });
      }
      const openedBy = linesOf(server, 'request').slice(0, 2);
      expect(new Set(openedBy.map(({ pid }) => pid)).size).toBe(2);
    });
  });

  describe('SIGHUP', () => {
    it('replaces every worker under load, drops no request, and rereads the file', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
      cleanups.push(() => rmSync(folder, { recursive: true }));
      const file = join(folder, 'gatehouse.yaml');
      const provider = (id: string) =>
        `externalAuthProviders:\n  - id: ${id}\n    type: github\n    client_id: x\n    client_secret: hunter2\n`;
      writeFileSync(file, provider('former'));
      const server = await serveWithAll(await freshEnv({ GATEHOUSE_CONFIG: file }));
      const former = startedWorkers(server);

      let stop = false;
      const answers: (number | null)[] = [];
      const clients = Array.from({ length: 6 }, async (_, n) => {
        // Some keep their connection, some make a new one each time.
        const agent = n % 2 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
        while (!stop) answers.push((await ask(server, { agent })).status);
        agent?.destroy();
      });
      const readiness = (async () => {
        while (!stop) {
          expect((await fetch(`${server.origin}/readyz`)).status).toBe(200);
          await sleep(10);
        }
      })();
      await until(() => answers.length > 50);
      writeFileSync(file, provider('latter'));
      process.kill(server.pid, 'SIGHUP');
      await until(() => linesOf(server, 'restarted').length === 1);
      stop = true;
      await Promise.all([...clients, readiness]);
      // A kept connection may end just as it is used again, once for each that was open.
      expect(answers.filter((status) => status !== 200 && status !== null)).toEqual([]);
      expect(answers.filter((status) => status === null).length).toBeLessThanOrEqual(3);

      await until(() => !former.some(isAlive));
      const latter = startedWorkers(server).slice(2);
      expect(latter).toHaveLength(2);
      expect(latter.every(isAlive)).toBe(true);
      for (let n = 0; n < 4; n += 1) {
        const { data } = await graphql(server.origin, TOKEN, '{ externalAuthProviders { id } }');
        expect(data.externalAuthProviders).toEqual([{ id: 'latter' }]);
      }

      // A file that is broken changes nothing, whoever starts afterwards.
      writeFileSync(file, `${provider('broken')}    regex: "("\n`);
      process.kill(server.pid, 'SIGHUP');
      const refused = 'the new settings are wrong, the workers go on with the former ones';
      await until(() => linesOf(server, refused).length === 1);
      expect(linesOf(server, refused)[0]?.reason).toMatch(/^The configuration is wrong:\n {2}- .*regex/i);
      expect(server.log()).not.toContain('hunter2');
      process.kill(latter[0] ?? 0, 'SIGKILL');
      await until(() => startedWorkers(server).length === 5);
      expect(latter.map(isAlive)).toEqual([false, true]);
      for (let n = 0; n < 4; n += 1) {
        const { data } = await graphql(server.origin, TOKEN, '{ externalAuthProviders { id } }');
        expect(data.externalAuthProviders).toEqual([{ id: 'latter' }]);
      }
      expect(await server.stop('SIGTERM')).toBe(0);
    });
  });

  describe('a worker that crashes', () => {
    it('is replaced, while the others answer', async () => {
      const server = await serveWithAll(await freshEnv());
      const connections = await connectToEach(server, 2);
      const [[, kept] = [], [victim = 0] = []] = [...connections];
      process.kill(victim, 'SIGKILL');
      while (startedWorkers(server).length === 2) {
        expect((await ask(server, { agent: kept })).status).toBe(200);
      }
      expect(linesOf(server, 'a worker ended unexpectedly')).toEqual([
        expect.objectContaining({ pid: server.pid, worker: victim, signal: 'SIGKILL' }),
      ]);
      const now = await connectToEach(server, 2);
      expect([...now.keys()]).toContain(startedWorkers(server)[2]);
      expect(await server.stop('SIGTERM')).toBe(0);
    });

    it('ends the gateway when none is left and none can start', async () => {
      const env = await freshEnv();
      const server = await serveWithAll(env);
      const { pathname } = new URL(env.DATABASE_URL ?? '');
      await onServer(serverUrl, `DROP DATABASE ${pathname.slice(1)} WITH (FORCE)`);
      cleanups.push(() => onServer(serverUrl, `CREATE DATABASE ${pathname.slice(1)}`));
      for (const worker of startedWorkers(server)) process.kill(worker, 'SIGKILL');
      expect(await server.ended).toBe(1);
      expect(server.log()).toMatch(/\nThe database refused: database "\w+" does not exist\. Correct .*\n$/);
      expect(server.log()).toContain('a worker cannot start, trying again');
    });
  });

  describe('an end', () => {
    it('comes with what was taken answered, at SIGTERM', async () => {
      const server = await serveWithAll(await freshEnv());
      const body = JSON.stringify({ query: ME });
      const slow = Array.from({ length: 4 }, () => {
        const headers = {
          authorization: `Bearer ${TOKEN}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        };
        const asking = request(`${server.origin}/graphql`, { method: 'POST', agent: false, headers });
        asking.write(body.slice(0, -1));
        return { asking, answer: once(asking, 'response') };
      });
      // Connections are taken in their order.
      expect((await ask(server)).status).toBe(200);
      expect((await ask(server)).status).toBe(200);
      const ended = server.stop('SIGTERM');
      await until(() => linesOf(server, 'stopping').length === 1);
      for (const { asking, answer } of slow) {
        asking.end(body.slice(-1));
        const [response] = await answer;
        response.resume();
        expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
      }
      expect(await ended).toBe(0);
      expect(startedWorkers(server).filter(isAlive)).toEqual([]);
    });

    it('comes at once with a second signal', async () => {
      const server = await serveWithAll(await freshEnv({ SHUTDOWN_DELAY_MS: '60000' }));
      void server.stop('SIGTERM');
      await until(() => linesOf(server, 'stopping').length === 1);
      // npm sends one signal twice; this is another.
      await sleep(600);
      const start = Date.now();
      expect(await server.stop('SIGTERM')).toBe(143);
      await until(() => !startedWorkers(server).some(isAlive));
      expect(Date.now() - start).toBeLessThan(10_000);
    });

    it('comes to all workers with the end of their primary, and leaves the port', async () => {
      const env = await freshEnv();
      const server = await serveWithAll(env);
      await server.stop('SIGKILL');
      await until(() => !startedWorkers(server).some(isAlive));
      const again = await serveWithAll({ ...env, PORT: new URL(server.origin).port });
      expect(again.origin).toBe(server.origin);
      expect((await ask(again)).status).toBe(200);
      expect(await again.stop('SIGTERM')).toBe(0);
    });
  });
}
