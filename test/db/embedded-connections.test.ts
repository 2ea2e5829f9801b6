import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/db/embedded.ts';

// All connections to the embedded database share one backend, which has to serve them as if each had its own.

const CLIENTS = 8;
const ROUNDS = 60;

let dataDir: string;
let database: EmbeddedDatabase;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  database = await startEmbeddedDatabase(dataDir, { durable: false });
  await database.ready;
});
afterAll(async () => {
  await database.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ host: database.socketDir, user: 'postgres', database: 'postgres' });
  // A connection that a test cuts says so.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Runs the same work on several connections at once. */
async function together(work: (client: pg.Client, n: number) => Promise<void>) {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
  try {
    await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** What a connection that dies may leave behind. */
interface WireConnection {
  parse: (query: { text: string }) => void;
  bind: (config: { values: string[] }) => void;
  stream: { destroy: () => void };
}

describe('connections to the embedded database', () => {
  // Rows of one connection's statement were answered to another's: those that waited for the end of a transaction
  // went on at its COMMIT, each with one message of their own, and their messages met in the backend.
  it('each get the rows of their own statements, beside transactions of others', async () => {
    await together(async (client, n) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const columns = Array.from({ length: n + 1 }, (_, i) => `$${i + 1}::text AS c${n}_${i}`);
        const values = columns.map((_, i) => `client ${n}, round ${round}, column ${i}`);
        if (n % 2 === 0) await client.query('BEGIN');
        const { rows } = await client.query(`SELECT ${columns.join(', ')}`, values);
        expect(rows).toEqual([Object.fromEntries(values.map((value, i) => [`c${n}_${i}`, value]))]);
        if (n % 2 === 0) await client.query({ text: 'COMMIT', values: [] });
      }
    });
  });

  it('each get their own errors', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
    for (let round = 0; round < ROUNDS; round += 1) {
      const answers = clients.map(async (client, n) => {
        if (n % 3 === 0) {
          await expect(client.query(`SELECT $1::int / 0 AS n${n}`, [n])).rejects.toThrow('division by zero');
        } else if (n % 3 === 1) {
          await expect(client.query(`SELECT nothing_${n}`, [])).rejects.toThrow(`nothing_${n}`);
        } else {
          const { rows } = await client.query('SELECT $1::int + $2::int AS sum', [n, round]);
          expect(rows).toEqual([{ sum: n + round }]);
        }
      });
      await Promise.all(answers);
    }
    await Promise.all(clients.map((client) => client.end()));
  });

  it('have transactions of their own', async () => {
    const setup = await connect();
    await setup.query('CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL)');
    await setup.query('INSERT INTO counters SELECT i, 0 FROM generate_series(0, $1::int) AS i', [CLIENTS]);
    await together(async (client, n) => {
      for (let round = 0; round < ROUNDS / 2; round += 1) {
        await client.query('BEGIN');
        const { rows } = await client.query('SELECT value FROM counters WHERE id = $1', [CLIENTS]);
        await client.query('UPDATE counters SET value = value + 1 WHERE id = $1', [n]);
        await client.query('UPDATE counters SET value = $2 WHERE id = $1', [CLIENTS, rows[0].value + 1]);
        await client.query(round % 3 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
    });
    const committed = (ROUNDS / 2) * (2 / 3);
    const { rows } = await setup.query('SELECT value FROM counters ORDER BY id');
    // Each one's own counter, and the one that all of them read and wrote.
    expect(rows.map(({ value }) => value)).toEqual([...Array(CLIENTS).fill(committed), CLIENTS * committed]);
    await setup.end();
  });

  it.each<[string, (wire: WireConnection) => void]>([
    ['between Parse and Sync', (wire) => wire.parse({ text: 'SELECT 1' })],
    ['behind a faulty Parse, before its Sync', (wire) => wire.parse({ text: 'SELEKT' })],
    [
      'between Bind and Sync',
      (wire) => {
        wire.parse({ text: 'SELECT $1::text' });
        wire.bind({ values: ['x'] });
      },
    ],
  ])('go on when one of them dies %s', async (_when, send) => {
    const [dying, other] = await Promise.all([connect(), connect()]);
    const wire = (dying as unknown as { connection: WireConnection }).connection;
    send(wire);
    const answered = other.query('SELECT $1::int AS n', [7]);
    await new Promise(setImmediate);
    wire.stream.destroy();
    expect((await answered).rows).toEqual([{ n: 7 }]);
    expect((await other.query('SELECT $1::int AS n', [8])).rows).toEqual([{ n: 8 }]);
    await other.end();
  });

  it('go on when one of them dies within a transaction, which is undone', async () => {
    const [dying, other] = await Promise.all([connect(), connect()]);
    await other.query('CREATE TABLE left_behind (n int)');
    await dying.query('BEGIN');
    await dying.query('INSERT INTO left_behind VALUES ($1)', [1]);
    const answered = other.query('SELECT count(*)::int AS n FROM left_behind');
    (dying as unknown as { connection: WireConnection }).connection.stream.destroy();
    expect((await answered).rows).toEqual([{ n: 0 }]);
    await other.end();
  });
});
