/**
 * Apollo Server in Fastify, with data loaders made for each request:
 * https://www.apollographql.com/docs/apollo-server/data/fetching-data#batching-and-caching
 */
import { ApolloServer } from '@apollo/server';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import DataLoader from 'dataloader';
import Fastify from 'fastify';
import { createPrismaClient } from '../../src/db/client.ts';
import type { OAuthAppSecret } from '../../src/generated/prisma/client.ts';
import { type Context, createResolvers, type OAuthApp, secretsOfApps, typeDefs } from './shared/schema.ts';
import { readSettings } from './shared/settings.ts';
import { authenticate } from './shared/viewer.ts';

interface ApolloContext extends Context {
  secrets: DataLoader<string, OAuthAppSecret[]>;
}

const { databaseUrl, poolSize, port, keyring } = readSettings();
const db = createPrismaClient({ connectionString: databaseUrl, max: poolSize }, { prepare: true });
const app = Fastify();

const resolvers = createResolvers(db, keyring);
const server = new ApolloServer<ApolloContext>({
  typeDefs,
  resolvers: {
    ...resolvers,
    OAuthApp: {
      ...resolvers.OAuthApp,
      secrets: ({ id }: OAuthApp, _args: unknown, { secrets }: ApolloContext) => secrets.load(id),
    },
  },
  introspection: false,
  plugins: [fastifyApolloDrainPlugin(app)],
});
await server.start();
await app.register(fastifyApollo(server), {
  context: async (request) => ({
    viewer: await authenticate(db, request.headers.authorization),
    secrets: new DataLoader((ids: readonly string[]) => secretsOfApps(db, ids)),
  }),
});
app.get('/readyz', () => 'ok');
await app.listen({ port, host: '127.0.0.1' });
