import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type ClientRequest, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { makeDatabase } from '../harness.ts';
import { graphql, killAll, run, serve } from './server.ts';

// What a process that ends, or a database that goes away, does to those who use it.

// Processes take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const TOKEN = `bootstrap-${randomUUID()}`;
const ME = '{ viewer { username } }';

let remove = async () => {};
afterEach(async () => {
  killAll();
  await remove();
});

async function freshEnv(): Promise<Record<string, string>> {
  const made = await makeDatabase();
  remove = made.remove;
  return {
    ...made.databaseSettings,
    ENCRYPTION_KEYS: Buffer.alloc(32, 7).toString('base64'),
    GATEHOUSE_BOOTSTRAP_TOKEN: TOKEN,
  };
}

/**
 * Asks over and over on kept connections, until nobody listens any more.
 *
 * @returns how often it was answered
 */
async function askUntilRefused(origin: string, agent: Agent): Promise<number> {
  for (let answered = 0; ; answered += 1) {
    const status = await ask(origin, agent);
    if (status === null) return answered;
    expect(status).toBe(200);
  }
}

/** @returns null when nobody took the request */
function ask(origin: string, agent: Agent): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const asking = request(`${origin}/graphql`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    asking.once('error', (error: NodeJS.ErrnoException) => {
      // A kept connection that was idle may end just as it is used: the server's log tells whether it took the request.
      const untaken = error.code === 'ECONNREFUSED' || (error.code === 'ECONNRESET' && asking.reusedSocket);
      if (untaken) resolve(null);
      else reject(error);
    });
    asking.end(JSON.stringify({ query: ME }));
  });
}

/** Waits until the server has a request: connections are taken in their order. */
async function taken(asking: ClientRequest, origin: string): Promise<void> {
  const socket = asking.socket ?? (await once(asking, 'socket'))[0];
  if (socket.connecting) await once(socket, 'connect');
  expect((await fetch(`${origin}/readyz`, { headers: { connection: 'close' } })).status).toBe(200);
}

/** What readiness says, until nobody listens any more. */
async function watchReadiness(origin: string): Promise<Set<number>> {
  const seen = new Set<number>();
  for (;;) {
    try {
      seen.add((await fetch(`${origin}/readyz`, { headers: { connection: 'close' } })).status);
    } catch {
      return seen;
    }
    await sleep(20);
  }
}

describe('SIGTERM', () => {
  it('fails readiness first, answers every request that was taken, and ends with 0', async () => {
    const server = await serve({ ...(await freshEnv()), SHUTDOWN_DELAY_MS: '1500' });
    expect(server.greeting).toContain('GATEHOUSE_BOOTSTRAP_TOKEN (boot…)');
    expect(server.greeting).not.toContain(TOKEN);

    const agent = new Agent({ keepAlive: true });
    const clients = Array.from({ length: 6 }, () => askUntilRefused(server.origin, agent));
    // A request that is under way the whole time: its last byte comes when nobody is taken in any more.
    const body = JSON.stringify({ query: ME });
    const slow = request(`${server.origin}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    const slowAnswer = once(slow, 'response');
    slow.write(body.slice(0, -1));
    await taken(slow, server.origin);
    const readiness = watchReadiness(server.origin);
    while (!server.log().includes('"route":"/graphql"')) await sleep(10);

    const ended = server.stop('SIGTERM');
    const answered = await Promise.all(clients);
    expect(await readiness).toContain(503);
    slow.end(body.slice(-1));
    const [response] = await slowAnswer;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    response.resume();

    expect(await ended).toBe(0);
    for (const count of answered) expect(count).toBeGreaterThan(0);
    const took = server.log().match(/"route":"\/graphql","status":200/g)?.length;
    expect(took).toBe(answered.reduce((sum, count) => sum + count, 1));
    expect(server.log()).toContain('"msg":"stopped"');
  });

  it('waits no longer than it should for a request that never ends', async () => {
    const server = await serve({ ...(await freshEnv()), SHUTDOWN_TIMEOUT_MS: '300' });
    const stuck = request(`${server.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '100' },
    });
    const cut = once(stuck, 'error');
    stuck.write('{');
    await taken(stuck, server.origin);
    expect(await server.stop('SIGTERM')).toBe(0);
    expect((await cut)[0].code).toBe('ECONNRESET');
    expect(server.log()).toContain('"connections":1');
  });
});

describe('SIGKILL', () => {
  it('loses no write that was acknowledged', async () => {
    const env = await freshEnv();
    const server = await serve(env);
    const acknowledged: string[] = [];
    const create =
      'mutation ($name: String!) { createApiToken(input: {name: $name, scopes: [USER_READ]}) { ... on CreateApiTokenPayload { apiToken { uuid } } } }';
    const writers = Array.from({ length: 4 }, async () => {
      for (;;) {
        const { data } = await graphql(server.origin, TOKEN, create, { name: 'kept' });
        acknowledged.push(data.createApiToken.apiToken.uuid);
      }
    });
    const stopped = Promise.allSettled(writers);
    await Promise.race([
      stopped,
      (async () => {
        while (acknowledged.length < 40) await sleep(5);
      })(),
    ]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(40);
    await server.stop('SIGKILL');
    await stopped;

    const { out } = await run(['token', 'list', 'admin', '--json'], env);
    const kept = new Set(JSON.parse(out).map(({ id }: { id: string }) => id));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    // The folder is free again, and serves.
    const again = await serve(env);
    expect((await graphql(again.origin, TOKEN, ME)).status).toBe(200);
    expect(await again.stop('SIGTERM')).toBe(0);
  });
});

/** A way to the database that can be cut. */
class Line {
  #server: Server | undefined;
  #sockets = new Set<Socket>();
  #target: URL;
  port = 0;

  constructor(target: URL) {
    this.#target = target;
  }

  async open(): Promise<void> {
    const { hostname, port } = this.#target;
    this.#server = createServer((near) => {
      const far = connect(Number(port || 5432), hostname);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const closed = once(this.#server as Server, 'close');
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

if (process.env.TEST_DATABASE_URL) {
  describe('a database that goes away', () => {
    it('is answered with 503, and everything goes on when it is back', async () => {
      expect(inject('databaseTemplate').kind).toBe('server');
      const env = await freshEnv();
      const address = new URL(env.DATABASE_URL ?? '');
      const line = new Line(new URL(address));
      await line.open();
      Object.assign(address, { hostname: '127.0.0.1', port: String(line.port) });
      const server = await serve({ ...env, DATABASE_URL: address.href });
      expect((await graphql(server.origin, TOKEN, ME)).status).toBe(200);

      for (let outage = 0; outage < 2; outage += 1) {
        await line.cut();
        const away = await graphql(server.origin, TOKEN, ME);
        expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
        expect(away.errors[0].extensions.code).toBe('SERVICE_UNAVAILABLE');
        expect((await fetch(`${server.origin}/readyz`)).status).toBe(503);
        expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);

        await line.open();
        const back = Date.now();
        while ((await graphql(server.origin, TOKEN, ME)).status !== 200) {
          expect(Date.now() - back).toBeLessThan(5_000);
          await sleep(50);
        }
        expect((await fetch(`${server.origin}/readyz`)).status).toBe(200);
      }
      expect(await server.stop('SIGTERM')).toBe(0);
      await line.cut();
    });
  });
} else {
  describe('an embedded database that ends', () => {
    // It told every client over and over that it ends, and everybody waited for good.
    it('ends the process, which then starts again with all that was stored', async () => {
      const env = await freshEnv();
      const server = await serve(env);
      // No message of the protocol: a backend ends at it.
      connect(join(env.DATA_DIR ?? '', '.s.PGSQL.5432'))
        .on('error', () => {})
        .write(Buffer.from([0x7a, 0, 0, 0, 4]));
      expect(await server.ended).toBe(1);
      expect(server.log()).toContain(
        'The embedded database ended unexpectedly (invalid frontend message type 122)',
      );
      const again = await serve(env);
      expect((await graphql(again.origin, TOKEN, ME)).status).toBe(200);
      expect(await again.stop('SIGTERM')).toBe(0);
    });
  });
}
