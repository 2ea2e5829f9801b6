import { GraphQLError, GraphQLScalarType } from 'graphql';
import type { Database } from '../../../src/db/client.ts';
import type {
  ExternalAuthLink,
  OAuthApp,
  OAuthAppSecret,
  Prisma,
  SshKey,
  User,
} from '../../../src/generated/prisma/client.ts';
import type { Keyring } from '../../../src/secrets/keyring.ts';
import { formatFingerprint } from '../../../src/ssh-keys/fingerprint.ts';
import { stateOf } from '../../../src/ssh-keys/key-state.ts';
import { decodeCursor, encodeCursor, globalId } from './ids.ts';
import type { Viewer } from './viewer.ts';
import {
  type AddSshKeyInput,
  addSshKey,
  type CreateOAuthAppInput,
  createOAuthApp,
  InvalidInput,
} from './writes.ts';

/** The part of Gatehouse's schema that the benchmark asks for, for servers that take a schema and resolvers. */
export const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar UUID
  scalar URL

  interface Node { id: ID! }
  interface UserError { code: String! message: String! }

  type Query { viewer: User! }

  type User implements Node {
    id: ID!
    uuid: UUID!
    username: String!
    displayName: String
    email: String
    createdAt: DateTime!
    sshKeys(first: Int, after: String): UserSshKeysConnection!
    oauthApps(first: Int, after: String): UserOAuthAppsConnection!
    externalAuthLinks: [ExternalAuthLink!]!
  }

  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type UserSshKeysConnection { totalCount: Int! edges: [UserSshKeysEdge!]! pageInfo: PageInfo! }
  type UserSshKeysEdge { cursor: String! node: SshKey! }
  type UserOAuthAppsConnection { totalCount: Int! edges: [UserOAuthAppsEdge!]! pageInfo: PageInfo! }
  type UserOAuthAppsEdge { cursor: String! node: OAuthApp! }

  enum SshKeyUsage { AUTH SIGNING AUTH_AND_SIGNING }
  enum SshKeyState { ACTIVE EXPIRING EXPIRED }

  type SshKey implements Node {
    id: ID!
    uuid: UUID!
    title: String!
    publicKey: String!
    type: String!
    bits: Int!
    comment: String!
    fingerprint: String!
    usage: SshKeyUsage!
    state: SshKeyState!
    expiresAt: DateTime
    lastUsedAt: DateTime
    createdAt: DateTime!
    updatedAt: DateTime!
  }

  type OAuthApp implements Node {
    id: ID!
    uuid: UUID!
    name: String!
    description: String!
    clientId: UUID!
    homepageUrl: String!
    redirectUris: [String!]!
    standalone: Boolean!
    secrets: [OAuthAppSecret!]!
    createdAt: DateTime!
    updatedAt: DateTime!
  }

  type OAuthAppSecret implements Node {
    id: ID!
    prefix: String!
    createdAt: DateTime!
    lastUsedAt: DateTime
    expiresAt: DateTime
  }

  type ExternalAuthLink implements Node {
    id: ID!
    uuid: UUID!
    providerId: String!
    hasRefreshToken: Boolean!
    expiresAt: DateTime
    refreshFailureReason: String
    createdAt: DateTime!
    updatedAt: DateTime!
  }

  type Mutation {
    addSshKey(input: AddSshKeyInput!): AddSshKeyResult!
    createOAuthApp(input: CreateOAuthAppInput!): CreateOAuthAppResult!
  }

  input AddSshKeyInput { publicKey: String! title: String! expiresAt: DateTime usage: SshKeyUsage }
  input CreateOAuthAppInput {
    name: String!
    description: String
    homepageUrl: URL!
    redirectUris: [URL!]!
    standalone: Boolean
  }
  type AddSshKeyPayload { sshKey: SshKey! }
  type CreateOAuthAppPayload { oauthApp: OAuthApp! clientSecret: String! }
  type InvalidInput implements UserError { code: String! message: String! }
  union AddSshKeyResult = AddSshKeyPayload | InvalidInput
  union CreateOAuthAppResult = CreateOAuthAppPayload | InvalidInput
`;

export interface Context {
  viewer: Viewer | null;
}

interface PageArguments {
  first?: number | null;
  after?: string | null;
}

const scalar = (name: string, serialize: (value: unknown) => unknown, parse = (value: unknown) => value) =>
  new GraphQLScalarType({ name, serialize, parseValue: parse });

function requireViewer({ viewer }: Context): Viewer {
  if (viewer) return viewer;
  throw new GraphQLError('The token is missing or not valid.', {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } },
  });
}

/** All but `OAuthApp.secrets`: lists within lists go through each server's own kind of data loader. */
export function createResolvers(db: Database, keyring: Keyring) {
  return {
    DateTime: scalar(
      'DateTime',
      (value) => (value as Date).toISOString(),
      (value) => new Date(String(value)),
    ),
    UUID: scalar('UUID', String),
    URL: scalar('URL', String),
    Query: {
      viewer: (_root: unknown, _args: unknown, context: Context) => requireViewer(context).user,
    },
    User: {
      ...ids('User'),
      sshKeys: (user: User, args: PageArguments) => {
        const where = { userId: user.id };
        return page(
          args,
          (query) => db.sshKey.findMany({ ...query, where: { ...where, ...query.where } }),
          () => db.sshKey.count({ where }),
        );
      },
      oauthApps: (user: User, args: PageArguments) => {
        const where = { userId: user.id };
        return page(
          args,
          (query) => db.oAuthApp.findMany({ ...query, where: { ...where, ...query.where } }),
          () => db.oAuthApp.count({ where }),
        );
      },
      externalAuthLinks: (user: User) =>
        db.externalAuthLink.findMany({
          where: { userId: user.id },
          orderBy: [{ updatedAt: 'desc' }, { id: 'desc' }],
        }),
    },
    UserSshKeysConnection: { totalCount },
    UserOAuthAppsConnection: { totalCount },
    SshKey: {
      ...ids('SshKey'),
      publicKey: ({ publicKey, comment }: SshKey) => (comment === '' ? publicKey : `${publicKey} ${comment}`),
      fingerprint: ({ blobHash }: SshKey) => formatFingerprint(blobHash),
      state: ({ expiresAt }: SshKey) => stateOf(expiresAt, new Date()),
    },
    OAuthApp: ids('OAuthApp'),
    OAuthAppSecret: { id: ({ id }: OAuthAppSecret) => globalId('OAuthAppSecret', id) },
    ExternalAuthLink: {
      ...ids('ExternalAuthLink'),
      hasRefreshToken: ({ refreshToken }: ExternalAuthLink) => refreshToken !== null,
    },
    Mutation: {
      addSshKey: (_root: unknown, { input }: { input: AddSshKeyInput }, context: Context) =>
        orInvalidInput('AddSshKeyPayload', async () => ({
          sshKey: await addSshKey(db, requireViewer(context), input),
        })),
      createOAuthApp: (_root: unknown, { input }: { input: CreateOAuthAppInput }, context: Context) =>
        orInvalidInput('CreateOAuthAppPayload', () =>
          createOAuthApp(db, keyring, requireViewer(context), input),
        ),
    },
  };
}

function ids(type: string) {
  return {
    id: ({ id }: { id: string }) => globalId(type, id),
    uuid: ({ id }: { id: string }) => id,
  };
}

async function orInvalidInput<Payload extends object>(typename: string, work: () => Promise<Payload>) {
  try {
    return { __typename: typename, ...(await work()) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { __typename: 'InvalidInput', code: error.code, message: error.message };
  }
}

interface PageQuery {
  where: { id?: { lt: string } };
  orderBy: { id: Prisma.SortOrder };
  take: number;
}

/** A resolver of its own, for the JIT takes no methods. Nothing is counted unless it is asked for. */
function totalCount({ count }: { count: () => Promise<number> }): Promise<number> {
  return count();
}

/** A page, newest first. */
async function page<Row extends { id: string }>(
  { first, after }: PageArguments,
  find: (query: PageQuery) => Promise<Row[]>,
  count: () => Promise<number>,
) {
  const size = first ?? 20;
  const where = after ? { id: { lt: decodeCursor(after) } } : {};
  const rows = await find({ where, orderBy: { id: 'desc' }, take: size + 1 });
  const nodes = rows.slice(0, size);
  const edges = nodes.map((node) => ({ node, cursor: encodeCursor(node.id) }));
  return {
    count,
    edges,
    pageInfo: {
      hasNextPage: rows.length > size,
      hasPreviousPage: false,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** The live secrets of apps, newest first, in the order of the apps. */
export async function secretsOfApps(db: Database, appIds: readonly string[]): Promise<OAuthAppSecret[][]> {
  const secrets = await db.oAuthAppSecret.findMany({
    where: { appId: { in: [...appIds] }, OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }] },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  });
  const byApp = new Map<string, OAuthAppSecret[]>(appIds.map((id) => [id, []]));
  for (const secret of secrets) byApp.get(secret.appId)?.push(secret);
  return appIds.map((id) => byApp.get(id) ?? []);
}

export type { OAuthApp };
