import { deepStrictEqual } from 'node:assert';
import { hasValidChecksum } from '../src/secrets/mint.ts';
import { newPublicKey } from '../test/new-public-key.ts';
import { withClient } from './database.ts';
import { COLLECTORS, DISABLED, EXPIRED, tokenOf } from './population.ts';
import type { Server } from './servers.ts';
import {
  addKeyRequest,
  createAppRequest,
  graphqlRequest,
  type HttpRequest,
  takesPart,
  type Workload,
} from './workloads.ts';

/** How many users' answers are compared in each workload. */
const SAMPLES = 12;

/**
 * Asks all servers the same and compares what they answer with what Gatehouse answers; for writes, also the rows that
 * they store. What may differ, and is compared by its meaning only:
 * - an object's `id`: Gatehouse and PostGraphile spell the same UUID differently;
 * - cursors: each server's own, so the next page is fetched with each one's, and compared;
 * - instants: `Z` or `+00:00`, with three or six digits;
 * - what is new with each write: ids, secrets, the time.
 *
 * @returns how many answers were compared
 * @throws Error that shows the first difference
 */
export async function checkEquality(servers: Server[], workloads: Workload[]): Promise<number> {
  const [reference, ...others] = servers;
  if (!reference) return 0;
  let compared = 0;
  const compare = async (
    what: string,
    ask: (server: Server) => Promise<unknown>,
    asked: Server[] = others,
  ) => {
    const expected = await ask(reference);
    for (const server of asked) {
      const actual = await ask(server);
      try {
        deepStrictEqual(actual, expected);
      } catch (error) {
        const { title } = server.kind;
        throw new Error(
          `${title} answers other than ${reference.kind.title} to ${what}:\n${(error as Error).message}`,
        );
      }
      compared += 1;
    }
  };

  for (const workload of workloads.filter(({ kind }) => kind.endsWith('read'))) {
    const asked = others.filter(({ kind }) => takesPart(kind.role, workload));
    const step = Math.ceil(workload.users.length / SAMPLES);
    for (const user of workload.users.filter((_, i) => i % step === 0)) {
      const ask = async (server: Server) => {
        const [request] = workload.requests(user, server.kind.words, unexpected);
        return meaningOf(await answerTo(server, request as HttpRequest));
      };
      await compare(`"${workload.title}" of user ${user}`, ask, asked);
    }
  }
  if (workloads.some(({ name }) => name === 'apps')) {
    await compare('the second page of apps', async (server) => {
      if (server.kind.role === 'limit') return secondPage(reference);
      return secondPage(server);
    });
  }
  if (workloads.some(({ kind }) => kind === 'write')) {
    await compare('adding a key, or stores other rows', (server) => writeKey(server));
    await compare('creating an app, or stores other rows', (server) => writeApp(server));
  }
  for (const token of [null, 'unknown-token-0000000000000000000000', tokenOf(EXPIRED), tokenOf(DISABLED)]) {
    await compare(`the token ${token}`, (server) => isRefused(server, token));
  }
  return compared;
}

const unexpected = () => {
  throw new Error('A read stores nothing.');
};

async function send(
  server: Server,
  { method, path, body }: HttpRequest,
  token: string | null,
): Promise<Response> {
  return fetch(server.url + path, {
    method,
    body,
    headers: {
      accept: 'application/json',
      ...(body && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
  });
}

/** @throws Error when the answer is not 200, or has errors */
export async function answerTo(server: Server, request: HttpRequest): Promise<unknown> {
  const response = await send(server, request, tokenOf(request.user));
  const text = await response.text();
  if (response.status !== 200 || text.includes('"errors":')) {
    throw new Error(
      `${server.kind.title} answers ${response.status} to ${request.method} ${request.path}: ${text.slice(0, 500)}`,
    );
  }
  return JSON.parse(text);
}

async function secondPage(server: Server): Promise<unknown> {
  const { words } = server.kind;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the query
  const first = (await answerTo(server, graphqlRequest('apps', COLLECTORS, words))) as any;
  const after = first.data.viewer.oauthApps.pageInfo.endCursor;
  return meaningOf(await answerTo(server, graphqlRequest('moreApps', COLLECTORS, words, { after })));
}

const USER = 500;

async function writeKey(server: Server): Promise<unknown> {
  const publicKey = newPublicKey();
  const request = addKeyRequest(USER, server.kind.words, { publicKey, serial: 0 });
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the query
  const answer = (await answerTo(server, request)) as any;
  const { sshKey } = answer.data.addSshKey;
  deepStrictEqual(sshKey.publicKey, publicKey);
  const rows = await storedRows(server, sshKey.uuid, {
    ssh_keys: `SELECT user_id, title, type, comment, bits, usage::text, expires_at, last_used_at,
      blob_hash = sha256(decode(split_part(public_key, ' ', 2), 'base64')) AS hashed, created_at = updated_at AS fresh
      FROM ssh_keys WHERE id = $1`,
  });
  const isAudited = rows.audit[0].details.fingerprint === sshKey.fingerprint;
  delete rows.audit[0].details.fingerprint;
  return { answer: { ...sshKey, ...fresh(sshKey), publicKey: '', fingerprint: '' }, rows, isAudited };
}

async function writeApp(server: Server): Promise<unknown> {
  const request = createAppRequest(USER, server.kind.words, { publicKey: '', serial: 0 });
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the query
  const answer = (await answerTo(server, request)) as any;
  const { oauthApp, clientSecret } = answer.data.createOAuthApp;
  const rows = await storedRows(server, oauthApp.uuid, {
    oauth_apps: `SELECT user_id, name, description, homepage_url, redirect_uris, standalone, created_at = updated_at AS fresh
      FROM oauth_apps WHERE id = $1`,
    oauth_app_secrets: `SELECT split_part(secret, '.', 2) AS key, length(secret), length(secret_hash) AS hash_length, length(prefix),
      last_used_at, expires_at FROM oauth_app_secrets WHERE app_id = $1`,
  });
  const { clientId, secret } = rows.audit[0].details;
  const isAudited = clientId === oauthApp.clientId && clientSecret.startsWith(secret);
  delete rows.audit[0].details.clientId;
  delete rows.audit[0].details.secret;
  const answered = { ...oauthApp, ...fresh(oauthApp), clientId: isUuid(oauthApp.clientId) };
  return { answer: answered, secret: hasValidChecksum(clientSecret), rows, isAudited };
}

/** What is new with each write. */
function fresh({ id, uuid, createdAt }: { id: string; uuid: string; createdAt: string }) {
  const age = Date.now() - Date.parse(createdAt);
  return {
    id: uuidOfGlobalId(id) === uuid,
    uuid: uuid[14] === '7',
    createdAt: age >= -1_000 && age < 60_000,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: rows of several tables
type Rows = Record<string, any[]> & { audit: any[] };

async function storedRows(server: Server, id: string, queries: Record<string, string>): Promise<Rows> {
  return withClient(server.databaseUrl, async (client) => {
    const { rows: audit } = await client.query(
      `SELECT user_id, token_id, action, target_type, request_id IS NOT NULL AS has_request_id, details
       FROM audit_events WHERE target_id = $1`,
      [id],
    );
    const stored: Rows = { audit };
    for (const [table, query] of Object.entries(queries))
      stored[table] = (await client.query(query, [id])).rows;
    return stored;
  });
}

async function isRefused(server: Server, token: string | null): Promise<boolean> {
  const response = await send(server, graphqlRequest('viewer', USER, server.kind.words), token);
  const { data } = (await response.json()) as { data?: { viewer: unknown } | null };
  return !data?.viewer;
}

function meaningOf(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => meaningOf(item));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, meaningOf(each, key)]));
  }
  if (typeof value !== 'string') return value;
  if (name === 'id') return uuidOfGlobalId(value);
  if (/cursor$/i.test(name)) return 'a cursor';
  if (/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)$/.test(value)) return new Date(value).toISOString();
  return value;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

function uuidOfGlobalId(id: string): string {
  return UUID.exec(Buffer.from(id, 'base64').toString())?.[0] ?? id;
}

function isUuid(text: string): boolean {
  return UUID.exec(text)?.[0] === text;
}
