/**
 * Mercurius with its JIT on from the first request, and its own loaders: https://mercurius.dev/#/docs/loaders
 */
import Fastify, { type FastifyRequest } from 'fastify';
import mercurius from 'mercurius';
import { createPrismaClient } from '../../src/db/client.ts';
import { createResolvers, type OAuthApp, secretsOfApps, typeDefs } from './shared/schema.ts';
import { readSettings } from './shared/settings.ts';
import { authenticate } from './shared/viewer.ts';

const { databaseUrl, poolSize, port, keyring } = readSettings();
const db = createPrismaClient({ connectionString: databaseUrl, max: poolSize }, { prepare: true });
const app = Fastify();

await app.register(mercurius, {
  schema: typeDefs,
  // biome-ignore lint/suspicious/noExplicitAny: Mercurius types resolvers by its own context
  resolvers: createResolvers(db, keyring) as any,
  loaders: {
    OAuthApp: {
      secrets: (queries: { obj: OAuthApp }[]) =>
        secretsOfApps(
          db,
          queries.map(({ obj }) => obj.id),
        ),
    },
  },
  context: async (request: FastifyRequest) => ({
    viewer: await authenticate(db, request.headers.authorization),
  }),
  jit: 1,
  graphiql: false,
});
app.get('/readyz', () => 'ok');
await app.listen({ port, host: '127.0.0.1' });
