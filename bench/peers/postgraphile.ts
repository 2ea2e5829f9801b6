/**
 * PostGraphile 5 on the tables as they are: its Amber preset, smart tags for Gatehouse's names, computed columns for
 * what is derived, and `extendSchema` for the viewer and the mutations. The viewer comes from the request's context
 * rather than from settings of the connection, which would cost a transaction for each request.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import pg from 'pg';
import { postgraphile } from 'postgraphile';
import {
  type PgClient,
  type PgCodecWithAttributes,
  type PgResource,
  sideEffectWithPgClientTransaction,
} from 'postgraphile/@dataplan/pg';
import { makePgService } from 'postgraphile/adaptors/pg';
import { context, get, object, type Step } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { extendSchema, jsonPgSmartTags } from 'postgraphile/utils';
import { sha256 } from '../../src/secrets/hash.ts';
import { formatFingerprint } from '../../src/ssh-keys/fingerprint.ts';
import { parsePublicKey } from '../../src/ssh-keys/public-key.ts';
import { uuidv7 } from './shared/ids.ts';
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

/** Computed columns: PostgreSQL inlines them into the query of their table. */
const FUNCTIONS = `
  CREATE OR REPLACE FUNCTION ssh_keys_line(k ssh_keys) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT k.public_key || CASE WHEN k.comment = '' THEN '' ELSE ' ' || k.comment END $$;
  CREATE OR REPLACE FUNCTION ssh_keys_fingerprint(k ssh_keys) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'SHA256:' || rtrim(encode(k.blob_hash, 'base64'), '=') $$;
  CREATE OR REPLACE FUNCTION ssh_keys_state(k ssh_keys) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN k.expires_at <= now() THEN 'EXPIRED'
      WHEN k.expires_at <= now() + interval '7 days' THEN 'EXPIRING' ELSE 'ACTIVE' END $$;
  CREATE OR REPLACE FUNCTION oauth_apps_live_secrets(a oauth_apps) RETURNS SETOF oauth_app_secrets LANGUAGE sql STABLE AS $$
    SELECT * FROM oauth_app_secrets s WHERE s.app_id = a.id AND (s.expires_at IS NULL OR s.expires_at > now())
    ORDER BY s.created_at DESC, s.id DESC $$;
  CREATE OR REPLACE FUNCTION external_auth_links_has_refresh_token(l external_auth_links) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT l.refresh_token IS NOT NULL $$;`;

/** The advisory lock keeps two servers that start at once from replacing the same function. */
await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(1); ${FUNCTIONS} COMMIT`);

const named = (name: string) => ({ tags: { name } });
const computed = (fieldName: string, behavior?: string[]) => ({
  tags: { fieldName, ...(behavior && { behavior }) },
});

const smartTags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      users: { attribute: { id: named('uuid') } },
      ssh_keys: { attribute: { id: named('uuid'), public_key: { tags: { behavior: ['-*'] } } } },
      oauth_apps: { attribute: { id: named('uuid') } },
      external_auth_links: {
        attribute: {
          id: named('uuid'),
          updated_at: { tags: { behavior: ['+orderBy'] } },
          refresh_token: { tags: { behavior: ['-*'] } },
        },
      },
    },
    constraint: {
      'public.ssh_keys.ssh_keys_user_id_fkey': { tags: { foreignFieldName: 'sshKeys' } },
      'public.oauth_apps.oauth_apps_user_id_fkey': { tags: { foreignFieldName: 'oauthApps' } },
      'public.external_auth_links.external_auth_links_user_id_fkey': {
        tags: {
          foreignSimpleFieldName: 'externalAuthLinks',
          behavior: ['+list', '-connection'],
        },
      },
    },
    procedure: {
      ssh_keys_line: computed('publicKey'),
      ssh_keys_fingerprint: computed('fingerprint'),
      ssh_keys_state: computed('state'),
      oauth_apps_live_secrets: {
        tags: { fieldName: 'secrets', behavior: ['+list', '-connection'] },
      },
      external_auth_links_has_refresh_token: computed('hasRefreshToken'),
    },
  },
});

declare global {
  namespace Grafast {
    interface Context {
      userId?: string;
      tokenId?: string;
    }
  }
}

interface Viewer {
  userId: string;
  tokenId: string;
}

type Resource = PgResource<string, PgCodecWithAttributes>;

const viewerAndMutations = extendSchema((build) => {
  const { users, ssh_keys, oauth_apps } = build.input.pgRegistry.pgResources as unknown as Record<
    'users' | 'ssh_keys' | 'oauth_apps',
    Resource
  >;
  const { executor } = users;
  const $viewer = () => object({ userId: context().get('userId'), tokenId: context().get('tokenId') });

  return {
    typeDefs: /* GraphQL */ `
      extend type Query { viewer: User }
      input AddSshKeyInput { publicKey: String! title: String! expiresAt: Datetime usage: SshKeyUsage }
      input CreateOAuthAppInput {
        name: String!
        description: String
        homepageUrl: String!
        redirectUris: [String!]!
        standalone: Boolean
      }
      type AddSshKeyPayload { sshKey: SshKey }
      type CreateOAuthAppPayload { oauthApp: OauthApp clientSecret: String! }
      extend type Mutation {
        addSshKey(input: AddSshKeyInput!): AddSshKeyPayload
        createOAuthApp(input: CreateOAuthAppInput!): CreateOAuthAppPayload
      }
    `,
    objects: {
      Query: {
        plans: { viewer: () => users.get({ id: context().get('userId') }) },
      },
      Mutation: {
        plans: {
          addSshKey(_$root, { $input }) {
            return sideEffectWithPgClientTransaction(
              executor,
              { input: $input, viewer: $viewer() } as never,
              (client, { input, viewer }: { input: AddSshKeyInput; viewer: Viewer }) =>
                addSshKey(client, viewer, input),
            );
          },
          createOAuthApp(_$root, { $input }) {
            return sideEffectWithPgClientTransaction(
              executor,
              { input: $input, viewer: $viewer() } as never,
              (client, { input, viewer }: { input: CreateOAuthAppInput; viewer: Viewer }) =>
                createOAuthApp(client, viewer, input),
            );
          },
        },
      },
      AddSshKeyPayload: {
        plans: {
          sshKey: ($payload: Step) => ssh_keys.get({ id: get($payload as Step<{ id: string }>, 'id') }),
        },
      },
      CreateOAuthAppPayload: {
        plans: {
          oauthApp: ($payload: Step) => oauth_apps.get({ id: get($payload as Step<{ id: string }>, 'id') }),
        },
      },
    },
  };
});

const AUDIT = `INSERT INTO audit_events (id, user_id, token_id, action, target_type, target_id, request_id, details)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

async function addSshKey(client: PgClient, { userId, tokenId }: Viewer, input: AddSshKeyInput) {
  const { line, type, comment, bits, blobHash } = parsePublicKey(input.publicKey);
  const [id, title, now] = [uuidv7(), checkLine(input.title), new Date()];
  const { expiresAt = null, usage: given } = input;
  const usage = given ?? 'AUTH_AND_SIGNING';
  await client.query({
    text: `INSERT INTO ssh_keys (id, user_id, title, type, public_key, comment, bits, blob_hash, usage, expires_at, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
    values: [id, userId, title, type, line, comment, bits, blobHash, usage, expiresAt, now] as never,
  });
  const details = sshKeyDetails({ title, type, fingerprint: formatFingerprint(blobHash), usage, expiresAt });
  await client.query({
    text: AUDIT,
    values: [uuidv7(), userId, tokenId, 'ssh_key.add', 'ssh_key', id, randomUUID(), details] as never,
  });
  return { id };
}

async function createOAuthApp(client: PgClient, { userId, tokenId }: Viewer, input: CreateOAuthAppInput) {
  const app = checkApp(input);
  const { name, description, homepageUrl, redirectUris, standalone } = app;
  const { id: secretId, clientSecret, secret, secretHash, prefix } = mintClientSecret(keyring);
  const [id, clientId, now] = [uuidv7(), randomUUID(), new Date()];
  await client.query({
    text: `INSERT INTO oauth_apps (id, user_id, client_id, name, description, homepage_url, redirect_uris, standalone, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
    values: [id, userId, clientId, name, description, homepageUrl, redirectUris, standalone, now] as never,
  });
  await client.query({
    text: `INSERT INTO oauth_app_secrets (id, app_id, secret, secret_hash, prefix, created_at)
      VALUES ($1, $2, $3, $4, $5, $6)`,
    values: [secretId, id, secret, secretHash, prefix, now] as never,
  });
  const details = appDetails(app, clientId, prefix);
  await client.query({
    text: AUDIT,
    values: [uuidv7(), userId, tokenId, 'oauth_app.create', 'oauth_app', id, randomUUID(), details] as never,
  });
  return { id, clientSecret };
}

async function authenticate(authorization: string | undefined): Promise<Viewer | null> {
  const token = tokenOf(authorization);
  if (!token) return null;
  const { rows } = await pool.query<{ userId: string; tokenId: string; stale: boolean }>({
    name: 'token',
    text: `SELECT u.id AS "userId", t.id AS "tokenId",
        t.last_used_at IS NULL OR t.last_used_at <= now() - interval '${LAST_USE_INTERVAL_MS} milliseconds' AS stale
      FROM api_tokens t JOIN users u ON u.id = t.user_id
      WHERE t.token_hash = $1 AND u.disabled_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())`,
    values: [sha256(token)],
  });
  const [row] = rows;
  if (!row) return null;
  if (row.stale) {
    void pool.query({
      name: 'last-use',
      text: 'UPDATE api_tokens SET last_used_at = now() WHERE id = $1',
      values: [row.tokenId],
    });
  }
  return { userId: row.userId, tokenId: row.tokenId };
}

const server = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [smartTags, viewerAndMutations],
  pgServices: [makePgService({ pool, schemas: ['public'] })],
  schema: { defaultBehavior: '-resource:insert -resource:update -resource:delete' },
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
  grafast: {
    explain: false,
    context: async ({ node }) => ({ ...(await authenticate(node?.req.headers.authorization)) }),
  },
}).createServ(grafserv);

const handle = server.createHandler();
createServer((request, response) => {
  if (request.url === '/readyz') response.end('ok');
  else handle(request, response);
}).listen(port, '127.0.0.1');
await server.ready();
