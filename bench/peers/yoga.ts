/**
 * GraphQL Yoga, Pothos and Prisma as their guides set them up, with nothing tuned:
 * https://pothos-graphql.dev/docs/plugins/prisma, https://the-guild.dev/graphql/yoga-server/docs
 */
import { createServer } from 'node:http';
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import { GraphQLError } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { createPrismaClient } from '../../src/db/client.ts';
import type PrismaTypes from '../../src/generated/pothos.ts';
import { getDatamodel } from '../../src/generated/pothos.ts';
import { formatFingerprint } from '../../src/ssh-keys/fingerprint.ts';
import { stateOf } from '../../src/ssh-keys/key-state.ts';
import { readSettings } from './shared/settings.ts';
import { authenticate, type Viewer } from './shared/viewer.ts';
import { addSshKey, createOAuthApp, InvalidInput } from './shared/writes.ts';

const { databaseUrl, poolSize, port, keyring } = readSettings();
const db = createPrismaClient({ connectionString: databaseUrl, max: poolSize }, { prepare: true });

interface Context {
  viewer: Viewer | null;
}

const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    UUID: { Input: string; Output: string };
    URL: { Input: string; Output: string };
  };
}>({
  plugins: [ErrorsPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  prisma: { client: db, dmmf: getDatamodel() },
  relay: {
    clientMutationId: 'omit',
    edgesFieldOptions: { nullable: false },
    nodeFieldOptions: { nullable: false },
  },
  errors: {
    defaultTypes: [],
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
});

builder.scalarType('DateTime', {
  serialize: (value) => value.toISOString(),
  parseValue: (value) => new Date(String(value)),
});
builder.scalarType('UUID', { serialize: String, parseValue: String });
builder.scalarType('URL', { serialize: String, parseValue: String });

const UserError = builder.interfaceRef<InvalidInput>('UserError').implement({
  fields: (t) => ({ code: t.exposeString('code'), message: t.exposeString('message') }),
});
builder.objectType(InvalidInput, { name: 'InvalidInput', interfaces: [UserError] });

const Usage = builder.enumType('SshKeyUsage', { values: ['AUTH', 'SIGNING', 'AUTH_AND_SIGNING'] as const });
const State = builder.enumType('SshKeyState', { values: ['ACTIVE', 'EXPIRING', 'EXPIRED'] as const });

const SshKey = builder.prismaNode('SshKey', {
  id: { field: 'id' },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID' }),
    title: t.exposeString('title'),
    publicKey: t.string({
      resolve: ({ publicKey, comment }) => (comment === '' ? publicKey : `${publicKey} ${comment}`),
    }),
    type: t.exposeString('type'),
    bits: t.exposeInt('bits'),
    comment: t.exposeString('comment'),
    fingerprint: t.string({ resolve: ({ blobHash }) => formatFingerprint(blobHash) }),
    usage: t.expose('usage', { type: Usage }),
    state: t.field({ type: State, resolve: ({ expiresAt }) => stateOf(expiresAt, new Date()) }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

builder.prismaNode('OAuthAppSecret', {
  id: { field: 'id' },
  fields: (t) => ({
    prefix: t.exposeString('prefix'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
  }),
});

const OAuthApp = builder.prismaNode('OAuthApp', {
  id: { field: 'id' },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID' }),
    name: t.exposeString('name'),
    description: t.exposeString('description'),
    clientId: t.expose('clientId', { type: 'UUID' }),
    homepageUrl: t.exposeString('homepageUrl'),
    redirectUris: t.exposeStringList('redirectUris'),
    standalone: t.exposeBoolean('standalone'),
    secrets: t.relation('secrets', {
      query: () => ({
        where: { OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }] },
        orderBy: [{ createdAt: 'desc' as const }, { id: 'desc' as const }],
      }),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

builder.prismaNode('ExternalAuthLink', {
  id: { field: 'id' },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID' }),
    providerId: t.exposeString('providerId'),
    hasRefreshToken: t.boolean({ resolve: ({ refreshToken }) => refreshToken !== null }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    refreshFailureReason: t.exposeString('refreshFailureReason', { nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

builder.prismaNode('User', {
  id: { field: 'id' },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID' }),
    username: t.exposeString('username'),
    displayName: t.exposeString('displayName', { nullable: true }),
    email: t.exposeString('email', { nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    sshKeys: t.relatedConnection('sshKeys', {
      cursor: 'id',
      totalCount: true,
      query: { orderBy: { id: 'desc' } },
    }),
    oauthApps: t.relatedConnection('oauthApps', {
      cursor: 'id',
      totalCount: true,
      query: { orderBy: { id: 'desc' } },
    }),
    externalAuthLinks: t.relation('externalAuthLinks', {
      query: { orderBy: [{ updatedAt: 'desc' }, { id: 'desc' }] },
    }),
  }),
});

builder.queryType({
  fields: (t) => ({
    viewer: t.prismaField({
      type: 'User',
      resolve: (query, _root, _args, context) =>
        db.user.findUniqueOrThrow({ ...query, where: { id: requireViewer(context).user.id } }),
    }),
  }),
});

builder.mutationType({});

builder.relayMutationField(
  'addSshKey',
  {
    inputFields: (t) => ({
      publicKey: t.string({ required: true }),
      title: t.string({ required: true }),
      expiresAt: t.field({ type: 'DateTime' }),
      usage: t.field({ type: Usage }),
    }),
  },
  {
    errors: { types: [InvalidInput] },
    resolve: async (_root, { input }, context) => ({
      sshKey: await addSshKey(db, requireViewer(context), input),
    }),
  },
  { outputFields: (t) => ({ sshKey: t.field({ type: SshKey, resolve: ({ sshKey }) => sshKey }) }) },
);

builder.relayMutationField(
  'createOAuthApp',
  {
    inputFields: (t) => ({
      name: t.string({ required: true }),
      description: t.string(),
      homepageUrl: t.field({ type: 'URL', required: true }),
      redirectUris: t.field({ type: ['URL'], required: true }),
      standalone: t.boolean(),
    }),
  },
  {
    errors: { types: [InvalidInput] },
    resolve: (_root, { input }, context) => createOAuthApp(db, keyring, requireViewer(context), input),
  },
  {
    outputFields: (t) => ({
      oauthApp: t.field({ type: OAuthApp, resolve: ({ oauthApp }) => oauthApp }),
      clientSecret: t.string({ resolve: ({ clientSecret }) => clientSecret }),
    }),
  },
);

function requireViewer({ viewer }: Context): Viewer {
  if (viewer) return viewer;
  throw new GraphQLError('The token is missing or not valid.', {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } },
  });
}

const yoga = createYoga<object, Context>({
  schema: builder.toSchema(),
  context: async ({ request }) => ({
    viewer: await authenticate(db, request.headers.get('authorization') ?? undefined),
  }),
  graphiql: false,
  logging: false,
});
createServer((request, response) => {
  if (request.url === '/readyz') response.end('ok');
  else void yoga(request, response);
}).listen(port, '127.0.0.1');
