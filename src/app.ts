import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { authenticate, readCredential } from './auth/authenticate.ts';
import { createExecute } from './graphql/execute.ts';
import { createGraphiqlRoutes } from './graphql/graphiql.ts';
import { createGraphQLServer } from './graphql/yoga.ts';
import type { AppEnv } from './http/app-env.ts';
import { createOpenApiRoutes } from './rest/openapi.ts';
import type { Runtime } from './runtime.ts';

export interface App {
  fetch: (request: Request) => Response | Promise<Response>;
}

const REQUEST_ID = /^[\w.:-]{8,128}$/;

/** The whole HTTP side, without a socket: what tests and the server share. */
export function createApp(runtime: Runtime): App {
  const yoga = createGraphQLServer(runtime);
  const _execute = createExecute(runtime, yoga);
  const app = new Hono<AppEnv>();

  app.use(async (c, next) => {
    const given = c.req.header('x-request-id');
    c.set('requestId', given && REQUEST_ID.test(given) ? given : randomUUID());
    const credential = readCredential(c.req.raw.headers);
    c.set('hasCredential', credential !== null);
    c.set('viewer', credential && (await authenticate(runtime, credential.token)));
    await next();
    c.header('x-request-id', c.get('requestId'));
  });

  app.get('/healthz', (c) => c.text('ok'));
  app.get('/readyz', async (c) => {
    await runtime.db.$queryRaw`SELECT 1`;
    return c.text('ok');
  });
  if (runtime.config.graphql.graphiql) app.route('/', createGraphiqlRoutes());
  app.all('/graphql', (c) =>
    yoga.fetch(c.req.raw, { viewer: c.get('viewer'), requestId: c.get('requestId') }),
  );
  app.route('/', createOpenApiRoutes(runtime));

  return { fetch: (request) => app.fetch(request) };
}
