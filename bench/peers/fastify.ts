/**
 * The limit: no GraphQL, no Prisma. One hand-written statement for each workload, which checks the token too and
 * makes the answer's JSON, so that Node passes on text. Only answers with a secret in them are made here, for it has
 * to be decrypted.
 */
import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyReply } from 'fastify';
import pg from 'pg';
import { sha256 } from '../../src/secrets/hash.ts';
import { formatFingerprint } from '../../src/ssh-keys/fingerprint.ts';
import { stateOf } from '../../src/ssh-keys/key-state.ts';
import { parsePublicKey } from '../../src/ssh-keys/public-key.ts';
import { globalId, uuidv7 } from './shared/ids.ts';
import { readSettings } from './shared/settings.ts';
import { LAST_USE_INTERVAL_MS, tokenOf } from './shared/viewer.ts';
import {
  type AddSshKeyInput,
  appDetails,
  type CreateOAuthAppInput,
  checkApp,
  checkLine,
  mintClientSecret,
  sshKeyDetails,
} from './shared/writes.ts';

const { databaseUrl, poolSize, port, keyring } = readSettings();
const pool = new pg.Pool({ connectionString: databaseUrl, max: poolSize });
const app = Fastify();

interface Statement {
  name: string;
  text: string;
}

/** What each statement begins with: the token check. No row: the token is not valid. */
const VIEWER = `WITH viewer AS MATERIALIZED (
    SELECT u.*, t.id AS token_id,
      t.last_used_at IS NULL OR t.last_used_at <= now() - interval '${LAST_USE_INTERVAL_MS} milliseconds' AS stale
    FROM api_tokens t JOIN users u ON u.id = t.user_id
    WHERE t.token_hash = $1 AND u.disabled_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
  )`;

const id = (type: string, column: string) => `encode(('${type}:' || ${column})::bytea, 'base64')`;
const time = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const cursor = (column: string) => `translate(encode(${column}::text::bytea, 'base64'), E'\n', '')`;
const state = (column: string) =>
  `CASE WHEN ${column} <= now() THEN 'EXPIRED' WHEN ${column} <= now() + interval '7 days' THEN 'EXPIRING' ELSE 'ACTIVE' END`;
const fingerprint = `'SHA256:' || rtrim(encode(k.blob_hash, 'base64'), '=')`;

const KEY = {
  id: id('SshKey', 'k.id'),
  uuid: 'k.id',
  title: 'k.title',
  type: 'k.type',
  bits: 'k.bits',
  publicKey: `k.public_key || CASE WHEN k.comment = '' THEN '' ELSE ' ' || k.comment END`,
  fingerprint,
  usage: 'k.usage',
  state: state('k.expires_at'),
  expiresAt: time('k.expires_at'),
  createdAt: time('k.created_at'),
};

const APP = {
  id: id('OAuthApp', 'a.id'),
  uuid: 'a.id',
  name: 'a.name',
  description: 'a.description',
  clientId: 'a.client_id',
  homepageUrl: 'a.homepage_url',
  redirectUris: 'a.redirect_uris',
  standalone: 'a.standalone',
  createdAt: time('a.created_at'),
  updatedAt: time('a.updated_at'),
};

const SECRET = {
  id: id('OAuthAppSecret', 's.id'),
  prefix: 's.prefix',
  createdAt: time('s.created_at'),
  lastUsedAt: time('s.last_used_at'),
  expiresAt: time('s.expires_at'),
};

function json(fields: Record<string, string>): string {
  return `json_build_object(${Object.entries(fields)
    .map(([name, sql]) => `'${name}', ${sql}`)
    .join(', ')})`;
}

function pick<Fields extends Record<string, string>>(fields: Fields, ...names: (keyof Fields & string)[]) {
  return Object.fromEntries(names.map((name) => [name, fields[name] ?? '']));
}

const secretsOf = (fields: Record<string, string>) => `(
    SELECT coalesce(json_agg(${json(fields)} ORDER BY s.created_at DESC, s.id DESC), '[]')
    FROM oauth_app_secrets s WHERE s.app_id = a.id AND (s.expires_at IS NULL OR s.expires_at > now()))`;

/** The first rows of a list as edges; one more row tells whether there are others behind. */
function edges(table: string, alias: string, size: number, edge: string, others = ''): string {
  return `(SELECT json_build_object(${others} 'edges', coalesce(json_agg(e.edge) FILTER (WHERE e.n <= ${size}), '[]'),
      'pageInfo', json_build_object('hasNextPage', count(*) > ${size},
        'endCursor', (array_agg(${cursor('e.id')} ORDER BY e.n DESC) FILTER (WHERE e.n <= ${size}))[1]))
    FROM (SELECT ${alias}.id, row_number() OVER (ORDER BY ${alias}.id DESC) AS n, ${edge} AS edge
      FROM ${table} ${alias} WHERE ${alias}.user_id = viewer.id ORDER BY ${alias}.id DESC LIMIT ${size + 1}) e)`;
}

const nodes = (table: string, alias: string, size: number, node: string) =>
  `(SELECT coalesce(json_agg(json_build_object('node', e.node)), '[]')
    FROM (SELECT ${node} AS node FROM ${table} ${alias} WHERE ${alias}.user_id = viewer.id
      ORDER BY ${alias}.id DESC LIMIT ${size}) e)`;

const total = (table: string) => `(SELECT count(*) FROM ${table} c WHERE c.user_id = viewer.id)`;

function answer(viewer: Record<string, string>): string {
  const data = json({ data: json({ viewer: json(viewer) }) });
  return `${VIEWER} SELECT ${data}::text AS body, token_id, stale FROM viewer`;
}

const me = { id: id('User', 'viewer.id'), username: 'username' };

const queries: Record<string, Statement> = {
  Viewer: {
    name: 'viewer',
    text: answer({
      id: me.id,
      uuid: 'viewer.id',
      username: 'username',
      displayName: 'display_name',
      email: 'email',
      createdAt: time('created_at'),
    }),
  },
  ViewerKeys: {
    name: 'viewer-keys',
    text: answer({ ...me, sshKeys: edges('ssh_keys', 'k', 10, json({ node: json(KEY) })) }),
  },
  ViewerAll: {
    name: 'viewer-all',
    text: answer({
      ...me,
      sshKeys: json({
        totalCount: total('ssh_keys'),
        edges: nodes(
          'ssh_keys',
          'k',
          10,
          json(pick(KEY, 'id', 'title', 'type', 'fingerprint', 'state', 'expiresAt')),
        ),
      }),
      oauthApps: json({
        totalCount: total('oauth_apps'),
        edges: nodes(
          'oauth_apps',
          'a',
          10,
          json({
            ...pick(APP, 'id', 'name', 'clientId', 'homepageUrl', 'standalone'),
            secrets: secretsOf(pick(SECRET, 'id', 'prefix', 'createdAt', 'expiresAt')),
          }),
        ),
      }),
      externalAuthLinks: `(SELECT coalesce(json_agg(${json({
        id: id('ExternalAuthLink', 'l.id'),
        uuid: 'l.id',
        providerId: 'l.provider_id',
        hasRefreshToken: 'l.refresh_token IS NOT NULL',
        expiresAt: time('l.expires_at'),
        refreshFailureReason: 'l.refresh_failure_reason',
        createdAt: time('l.created_at'),
        updatedAt: time('l.updated_at'),
      })} ORDER BY l.updated_at DESC, l.id DESC), '[]') FROM external_auth_links l WHERE l.user_id = viewer.id)`,
    }),
  },
  Apps: {
    name: 'apps',
    text: answer({
      id: me.id,
      oauthApps: edges(
        'oauth_apps',
        'a',
        50,
        json({ cursor: cursor('a.id'), node: json({ ...APP, secrets: secretsOf(SECRET) }) }),
        `'totalCount', ${total('oauth_apps')},`,
      ),
    }),
  },
};

const ADD_KEY: Statement = {
  name: 'add-key',
  text: `${VIEWER}, key AS (
      INSERT INTO ssh_keys (id, user_id, title, type, public_key, comment, bits, blob_hash, usage, expires_at, created_at, updated_at)
      SELECT $2, viewer.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11 FROM viewer RETURNING id
    ), audit AS (
      INSERT INTO audit_events (id, user_id, token_id, action, target_type, target_id, request_id, details)
      SELECT $12, viewer.id, token_id, 'ssh_key.add', 'ssh_key', $2::text, $13, $14 FROM viewer
    )
    SELECT viewer.id, token_id, stale FROM viewer, key`,
};

const CREATE_APP: Statement = {
  name: 'create-app',
  text: `${VIEWER}, app AS (
      INSERT INTO oauth_apps (id, user_id, client_id, name, description, homepage_url, redirect_uris, standalone, created_at, updated_at)
      SELECT $2, viewer.id, $3, $4, $5, $6, $7, $8, $9, $9 FROM viewer RETURNING id
    ), secret AS (
      INSERT INTO oauth_app_secrets (id, app_id, secret, secret_hash, prefix, created_at)
      SELECT $10, app.id, $11, $12, $13, $9 FROM app
    ), audit AS (
      INSERT INTO audit_events (id, user_id, token_id, action, target_type, target_id, request_id, details)
      SELECT $14, viewer.id, token_id, 'oauth_app.create', 'oauth_app', $2::text, $15, $16 FROM viewer
    )
    SELECT viewer.id, token_id, stale FROM viewer, app`,
};

interface ViewerRow {
  token_id: string;
  stale: boolean;
}

/** Runs a statement as the viewer; answers 401 itself, and then returns null. */
async function run<Row>(
  statement: Statement,
  authorization: string | undefined,
  reply: FastifyReply,
  values: unknown[] = [],
): Promise<(Row & ViewerRow)[] | null> {
  const token = tokenOf(authorization);
  const { rows } = token
    ? await pool.query<Row & ViewerRow>({ ...statement, values: [sha256(token), ...values] })
    : { rows: [] };
  const [first] = rows;
  if (!first) {
    reply.code(401).send({ data: null, errors: [{ message: 'The token is missing or not valid.' }] });
    return null;
  }
  if (first.stale) {
    void pool.query({
      name: 'last-use',
      text: `UPDATE api_tokens SET last_used_at = now() WHERE id = $1`,
      values: [first.token_id],
    });
  }
  return rows;
}

async function addKey(input: AddSshKeyInput, authorization: string | undefined, reply: FastifyReply) {
  const { line, type, comment, bits, blobHash } = parsePublicKey(input.publicKey);
  const [keyId, title, now] = [uuidv7(), checkLine(input.title), new Date()];
  const { expiresAt = null, usage: given } = input;
  const usage = given ?? 'AUTH_AND_SIGNING';
  const fingerprint = formatFingerprint(blobHash);
  const details = sshKeyDetails({ title, type, fingerprint, usage, expiresAt });
  const stored = [keyId, title, type, line, comment, bits, blobHash, usage, expiresAt, now];
  const rows = await run(ADD_KEY, authorization, reply, [...stored, uuidv7(), randomUUID(), details]);
  if (!rows) return reply;
  const sshKey = {
    id: globalId('SshKey', keyId),
    uuid: keyId,
    title,
    type,
    bits,
    publicKey: comment === '' ? line : `${line} ${comment}`,
    fingerprint,
    usage,
    state: stateOf(expiresAt, now),
    expiresAt,
    createdAt: now,
  };
  return { data: { addSshKey: { __typename: 'AddSshKeyPayload', sshKey } } };
}

async function createApp(input: CreateOAuthAppInput, authorization: string | undefined, reply: FastifyReply) {
  const checked = checkApp(input);
  const { name, description, homepageUrl, redirectUris, standalone } = checked;
  const { id: secretId, clientSecret, secret, secretHash, prefix } = mintClientSecret(keyring);
  const [appId, clientId, now] = [uuidv7(), randomUUID(), new Date()];
  const stored = [appId, clientId, name, description, homepageUrl, redirectUris, standalone, now];
  const details = appDetails(checked, clientId, prefix);
  const rows = await run(CREATE_APP, authorization, reply, [
    ...stored,
    ...[secretId, secret, secretHash, prefix],
    ...[uuidv7(), randomUUID(), details],
  ]);
  if (!rows) return reply;
  const oauthApp = { id: globalId('OAuthApp', appId), uuid: appId, ...checked, clientId, createdAt: now };
  return { data: { createOAuthApp: { __typename: 'CreateOAuthAppPayload', clientSecret, oauthApp } } };
}

interface GraphQLBody {
  operationName: string;
  variables?: { input: AddSshKeyInput & CreateOAuthAppInput };
}

app.post<{ Body: GraphQLBody }>('/graphql', async ({ body, headers: { authorization } }, reply) => {
  const { operationName, variables } = body;
  if (operationName === 'AddKey' && variables) return addKey(variables.input, authorization, reply);
  if (operationName === 'CreateApp' && variables) return createApp(variables.input, authorization, reply);
  const query = queries[operationName];
  if (!query) return reply.code(404).send({ errors: [{ message: `There is no ${operationName}.` }] });
  const rows = await run<{ body: string }>(query, authorization, reply);
  if (!rows) return reply;
  return reply.type('application/json; charset=utf-8').send(rows[0]?.body);
});

/** GitFlic's dialect. The secret is encrypted, so the answer is made here, by a serialiser that Fastify compiles. */
const APP_COLUMNS = `a.id, a.name, a.description, a.client_id, a.homepage_url, a.redirect_uris[1] AS callback, a.standalone,
  s.id AS secret_id, s.secret`;

const CURRENT_SECRET = `LEFT JOIN LATERAL (
    SELECT s.id, s.secret FROM oauth_app_secrets s WHERE s.app_id = a.id
    ORDER BY s.expires_at DESC NULLS FIRST LIMIT 1) s ON true`;

const LIST_APPS: Statement = {
  name: 'list-apps',
  text: `${VIEWER} SELECT token_id, stale, ${total('oauth_apps')}::int AS total, ${APP_COLUMNS}
    FROM viewer LEFT JOIN LATERAL (
      SELECT * FROM oauth_apps a WHERE a.user_id = viewer.id ORDER BY a.id DESC LIMIT $2 OFFSET $3
    ) a ON true ${CURRENT_SECRET} ORDER BY a.id DESC`,
};

const READ_APP: Statement = {
  name: 'read-app',
  text: `${VIEWER} SELECT token_id, stale, ${APP_COLUMNS}
    FROM viewer LEFT JOIN oauth_apps a ON a.user_id = viewer.id AND a.id = $2 ${CURRENT_SECRET}`,
};

interface AppRow {
  id: string | null;
  name: string;
  description: string;
  client_id: string;
  homepage_url: string;
  callback: string | null;
  standalone: boolean;
  secret_id: string | null;
  secret: string | null;
}

function appAnswer(row: AppRow) {
  const place = { table: 'oauth_app_secrets', column: 'secret', row: row.secret_id ?? '' };
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    clientId: row.client_id,
    clientSecret: row.secret === null ? '' : keyring.decrypt(row.secret, place),
    homepageUrl: row.homepage_url,
    authCallbackUrl: row.callback ?? '',
    standalone: row.standalone,
  };
}

const string = { type: 'string' };
const integer = { type: 'integer' };
const object = (properties: Record<string, object>) => ({ type: 'object', properties });
const appSchema = object({
  id: string,
  name: string,
  description: string,
  clientId: string,
  clientSecret: string,
  homepageUrl: string,
  authCallbackUrl: string,
  standalone: { type: 'boolean' },
});
const pageSchema = object({
  _embedded: object({ oauthModelList: { type: 'array', items: appSchema } }),
  page: object({ size: integer, totalElements: integer, totalPages: integer, number: integer }),
});

app.get<{ Querystring: { page?: string; size?: string } }>(
  '/user/settings/oauth/',
  { schema: { response: { 200: pageSchema } } },
  async ({ query, headers: { authorization } }, reply) => {
    const [number, size] = [Number(query.page ?? 0), Number(query.size ?? 10)];
    const rows = await run<AppRow & { total: number }>(LIST_APPS, authorization, reply, [
      size,
      number * size,
    ]);
    if (!rows) return reply;
    const totalElements = rows[0]?.total ?? 0;
    return {
      _embedded: { oauthModelList: rows.filter(({ id }) => id !== null).map(appAnswer) },
      page: { size, totalElements, totalPages: Math.ceil(totalElements / size), number },
    };
  },
);

app.get<{ Params: { id: string } }>(
  '/user/settings/oauth/:id',
  { schema: { response: { 200: appSchema } } },
  async ({ params: { id }, headers: { authorization } }, reply) => {
    const rows = await run<AppRow>(READ_APP, authorization, reply, [id]);
    if (!rows) return reply;
    const [row] = rows;
    return row?.id ? appAnswer(row) : reply.code(404).send({ message: 'There is no such app.' });
  },
);

/** Coder's dialect, for a deployment whose providers have left the configuration: all of it is in the database. */
const isoTime = (column: string) => `coalesce(${time(column)}, '0001-01-01T00:00:00Z')`;

const LINK = json({
  provider_id: 'l.provider_id',
  created_at: isoTime('l.created_at'),
  updated_at: isoTime('l.updated_at'),
  has_refresh_token: 'l.refresh_token IS NOT NULL',
  expires: isoTime('l.expires_at'),
  authenticated: 'false',
  validate_error: `'The provider "' || l.provider_id || '" is no longer configured, so nobody can tell whether the token works. You can unlink the account.'`,
});

const LIST_LINKS: Statement = {
  name: 'list-links',
  text: `${VIEWER} SELECT token_id, stale, (
      SELECT coalesce((array_agg(link))[1], '{}'::jsonb)
        || jsonb_build_object('links', coalesce(jsonb_agg(link), '[]'), 'providers', '[]'::jsonb)
      FROM (SELECT ${LINK}::jsonb AS link FROM external_auth_links l WHERE l.user_id = viewer.id
        ORDER BY l.updated_at DESC, l.id DESC) l
    )::text AS body FROM viewer`,
};

app.get('/api/v2/external-auth', async ({ headers: { authorization } }, reply) => {
  const rows = await run<{ body: string }>(LIST_LINKS, authorization, reply);
  if (!rows) return reply;
  return reply.type('application/json; charset=utf-8').send(rows[0]?.body);
});

app.get('/readyz', () => 'ok');
await app.listen({ port, host: '127.0.0.1' });
