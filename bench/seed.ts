import type pg from 'pg';
import { sha256 } from '../src/secrets/hash.ts';
import { createKeyring } from '../src/secrets/keyring.ts';
import {
  ACTIVE_FROM,
  ACTIVE_USERS,
  APPS_EACH,
  APPS_OF_COLLECTORS,
  COLLECTORS,
  DISABLED,
  ENCRYPTION_KEY,
  EPOCH,
  EXPIRED,
  HOARDER,
  KEYS_EACH,
  KEYS_OF_HOARDER,
  KEYS_OF_OTHERS,
  KIND,
  LINKED_PROVIDERS,
  type Population,
  rowId,
  tokenHashOf,
} from './population.ts';
import type { Progress } from './progress.ts';

/** Another number is another set of rows: a database with an older one is seeded anew. */
const VERSION = 1;

/** Users are made in portions, so that there is progress to show. */
const PORTION = 50_000;

/**
 * Fills a migrated database, unless it holds the very same rows already.
 *
 * @param client of a database that nothing else uses
 */
export async function seed(client: pg.Client, { users }: Population, progress: Progress): Promise<void> {
  await client.query('CREATE TABLE IF NOT EXISTS bench_seed (users integer, version integer)');
  const { rowCount } = await client.query('SELECT 1 FROM bench_seed WHERE users = $1 AND version = $2', [
    users,
    VERSION,
  ]);
  if (rowCount) return progress.say(`The ${users.toLocaleString('en')} users are there already.`);

  await client.query('TRUNCATE users, audit_events, bench_seed CASCADE');
  await client.query(functions);
  await withoutTriggers(client, async () => {
    const stride = users / ACTIVE_USERS;
    for (let from = 1; from <= users; from += PORTION) {
      const to = Math.min(users, from + PORTION - 1);
      progress.say(`Making users ${from.toLocaleString('en')} to ${to.toLocaleString('en')} …`);
      await client.query(accounts(from, to, stride));
      for (const statement of others(from, to, stride, users)) await client.query(statement);
    }
    for (const statement of active(stride)) await client.query(statement);
    await seedSecrets(client);
  });
  progress.say('Vacuuming and analysing …');
  await client.query('VACUUM (ANALYZE)');
  await client.query('INSERT INTO bench_seed VALUES ($1, $2)', [users, VERSION]);
}

/** The rows are right by construction, and checking 10,000,000 foreign keys takes minutes. Needs a superuser. */
async function withoutTriggers(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query(`DO $$ BEGIN
    PERFORM set_config('session_replication_role', 'replica', false);
  EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`);
  await work();
  await client.query(`DO $$ BEGIN
    PERFORM set_config('session_replication_role', 'origin', false);
  EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`);
}

const functions = `
  CREATE FUNCTION pg_temp.row_id(kind int, moment bigint, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(${EPOCH.getTime()} + moment), 12, '0')
      || '7' || lpad(to_hex(kind), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid
  $$;
  CREATE FUNCTION pg_temp.at(moment bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT '${EPOCH.toISOString()}'::timestamptz + moment * interval '1 millisecond'
  $$;
  -- The blob of an Ed25519 key: its type, and 32 bytes (RFC 8709 section 4).
  CREATE FUNCTION pg_temp.key_blob(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT '\\x0000000b7373682d6564323535313900000020'::bytea || sha256(('key ' || n)::bytea)
  $$;`;

const USER_ID = `pg_temp.row_id(${KIND.user}, n, n)`;

/** Users and their tokens. The active ones are spread evenly over all. */
function accounts(from: number, to: number, stride: number): string {
  const isActive = `n % ${stride} = 0`;
  const active = `n / ${stride}`;
  return `
    INSERT INTO users (id, username, display_name, email, disabled_at, created_at, updated_at)
    SELECT ${USER_ID}, 'user-' || n, 'User ' || n, 'user-' || n || '@example.com',
      CASE WHEN ${isActive} AND ${active} = ${DISABLED} THEN pg_temp.at(n) END, pg_temp.at(n), pg_temp.at(n)
    FROM generate_series(${from}::bigint, ${to}) n;
    INSERT INTO api_tokens (id, user_id, name, token_hash, prefix, scopes, expires_at, created_at)
    SELECT pg_temp.row_id(${KIND.token}, n, n), ${USER_ID}, 'bench',
      sha256((CASE WHEN ${isActive} THEN 'bench-token-' || lpad((${active})::text, 28, '0') ELSE 'other-' || n END)::bytea),
      'bench-to', '{admin}',
      CASE WHEN ${isActive} AND ${active} = ${EXPIRED} THEN pg_temp.at(n) END, pg_temp.at(n)
    FROM generate_series(${from}::bigint, ${to}) n`;
}

/**
 * What users own that never send a request. Their rows lie as they would after years: those of one user are
 * scattered over the tables, and everybody's are mixed.
 */
function others(from: number, to: number, stride: number, users: number): string[] {
  const people = `generate_series(${from}::bigint, ${to}) n WHERE n % ${stride} <> 0`;
  return [
    ...Array.from({ length: KEYS_OF_OTHERS }, (_, j) => j + 1).map((j) => {
      const serial = `(${j}::bigint * ${users} + n)`;
      return `${INSERT_KEYS} SELECT ${keyRow(serial)} FROM ${people}`;
    }),
    `${INSERT_APPS} SELECT ${appRow('(n + 0)')} FROM ${people}`,
    `INSERT INTO oauth_app_secrets (id, app_id, secret, secret_hash, prefix, created_at)
     SELECT pg_temp.row_id(${KIND.secret}, n, n), pg_temp.row_id(${KIND.app}, n, n), 'never read',
       sha256(('secret ' || n)::bytea), 'gts_seed', pg_temp.at(n) FROM ${people}`,
    `INSERT INTO external_auth_links (id, user_id, provider_id, access_token, created_at, updated_at)
     SELECT pg_temp.row_id(${KIND.link}, n, n), ${USER_ID}, '${LINKED_PROVIDERS[0]}', 'never read', pg_temp.at(n), pg_temp.at(n)
     FROM ${people}`,
  ];
}

/** What the active users own, but for what is encrypted. `i` counts the users, `j` the rows of one. */
function active(stride: number): string[] {
  const rows = (each: string) => `
    FROM generate_series(1::bigint, ${ACTIVE_USERS}) i, LATERAL (SELECT i * ${stride} AS n) u,
      LATERAL generate_series(1::bigint, ${each}) j ORDER BY j, i`;
  const serial = `(${ACTIVE_FROM} + j * ${ACTIVE_USERS} + i)`;
  const keys = `CASE WHEN i = ${HOARDER} THEN ${KEYS_OF_HOARDER} ELSE ${KEYS_EACH} END`;
  const apps = `CASE WHEN i <= ${COLLECTORS} THEN ${APPS_OF_COLLECTORS} ELSE ${APPS_EACH} END`;
  return [
    `${INSERT_KEYS} SELECT ${keyRow(serial)} ${rows(keys)}`,
    `${INSERT_APPS} SELECT ${appRow(serial)} ${rows(apps)}`,
  ];
}

const INSERT_KEYS = `INSERT INTO ssh_keys
  (id, user_id, title, type, public_key, comment, bits, blob_hash, usage, expires_at, created_at, updated_at)`;

function keyRow(serial: string): string {
  return `pg_temp.row_id(${KIND.key}, ${serial}, ${serial}), ${USER_ID}, 'Laptop ' || ${serial}, 'ssh-ed25519',
    'ssh-ed25519 ' || encode(pg_temp.key_blob(${serial}), 'base64'), 'user-' || n || '@laptop', 256,
    sha256(pg_temp.key_blob(${serial})),
    (ARRAY['AUTH', 'SIGNING', 'AUTH_AND_SIGNING'])[1 + ${serial} % 3]::ssh_key_usage,
    CASE WHEN ${serial} % 2 = 0 THEN '2099-01-01'::timestamptz END, pg_temp.at(${serial}), pg_temp.at(${serial})`;
}

const INSERT_APPS = `INSERT INTO oauth_apps
  (id, user_id, client_id, name, description, homepage_url, redirect_uris, standalone, created_at, updated_at)`;

function appRow(serial: string): string {
  return `pg_temp.row_id(${KIND.app}, ${serial}, ${serial}), ${USER_ID}, md5('client ' || ${serial})::uuid,
    'App ' || ${serial}, 'What the app number ' || ${serial} || ' is for', 'https://app.example.com/' || ${serial},
    ARRAY['https://app.example.com/' || ${serial} || '/callback', 'https://app.example.com/callback'],
    ${serial} % 2 = 0, pg_temp.at(${serial}), pg_temp.at(${serial})`;
}

/** What is encrypted, of the active users: reads give it back. */
async function seedSecrets(client: pg.Client): Promise<void> {
  const keyring = createKeyring([Buffer.from(ENCRYPTION_KEY, 'base64')]);
  const { rows: apps } = await client.query<{ id: string; secret_id: string; serial: string }>(
    `SELECT id, serial, pg_temp.row_id(${KIND.secret}, serial, serial) AS secret_id
     FROM oauth_apps, LATERAL (SELECT substr(name, 5)::bigint AS serial) s WHERE serial > ${ACTIVE_FROM}`,
  );
  const secrets = apps.map(({ id, secret_id, serial }) => {
    const secret = `gts_bench-${serial.padStart(43, '0')}`;
    const place = { table: 'oauth_app_secrets', column: 'secret', row: secret_id };
    return [secret_id, id, keyring.encrypt(secret, place), Buffer.from(sha256(secret)), serial] as const;
  });
  const column = <Index extends 0 | 1 | 2 | 3 | 4>(index: Index) => secrets.map((row) => row[index]);
  await client.query(
    `INSERT INTO oauth_app_secrets (id, app_id, secret, secret_hash, prefix, created_at)
     SELECT id, app_id, secret, hash, 'gts_seed', pg_temp.at(serial)
     FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::bigint[]) AS s (id, app_id, secret, hash, serial)`,
    [column(0), column(1), column(2), column(3), column(4)],
  );

  const { rows: people } = await client.query<{ user_id: string; n: string }>(
    `SELECT user_id, substr(username, 6)::bigint AS n FROM api_tokens JOIN users ON users.id = user_id
     WHERE token_hash = ANY ($1)`,
    [Array.from({ length: ACTIVE_USERS }, (_, i) => Buffer.from(tokenHashOf(i + 1)))],
  );
  for (const [index, provider] of LINKED_PROVIDERS.entries()) {
    const links = people.map(({ user_id, n }) => {
      const serial = ACTIVE_FROM + index * 1_000_000 + Number(n);
      const id = rowId(KIND.link, serial, serial);
      const place = (column: string) => ({ table: 'external_auth_links', column, row: id });
      return {
        id,
        user_id,
        serial,
        access_token: keyring.encrypt('access', place('access_token')),
        refresh_token: index === 0 ? keyring.encrypt('refresh', place('refresh_token')) : null,
      };
    });
    await client.query(
      `INSERT INTO external_auth_links
         (id, user_id, provider_id, access_token, refresh_token, expires_at, created_at, updated_at)
       SELECT id, user_id, '${provider}', access_token, refresh_token,
         CASE WHEN refresh_token IS NOT NULL THEN '2099-01-01'::timestamptz END, pg_temp.at(serial), pg_temp.at(serial)
       FROM json_to_recordset($1) AS l (id uuid, user_id uuid, serial bigint, access_token text, refresh_token text)`,
      [JSON.stringify(links)],
    );
  }
}
