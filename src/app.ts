import { Hono } from 'hono';
import { createBrowserFlowRoutes } from './external-auth/browser-flow.routes.ts';
import { createGraphiqlRoutes } from './graphql/graphiql.ts';
import { createJsonPost } from './graphql/json-post.ts';
import { createGraphQLServer, type GraphQLServer } from './graphql/server.ts';
import type { AppEnv } from './http/app-env.ts';
import { limitBody } from './http/body-limit.ts';
import { cors } from './http/cors.ts';
import { createHealthRoutes } from './http/health-routes.ts';
import { identify } from './http/identify.ts';
import { answerError, answerNotFound } from './http/problem.ts';
import { requestId } from './http/request-id.ts';
import { requestLog } from './http/request-log.ts';
import { securityHeaders } from './http/security-headers.ts';
import { createSessionRoutes } from './http/session-routes.ts';
import { createStartPage } from './http/start-page.ts';
import { createCoderRoutes } from './rest/coder/routes.ts';
import { BASE_PATH as CODER_BASE_PATH } from './rest/coder/schemas.ts';
import { createGitflicRoutes } from './rest/gitflic/routes.ts';
import { createOpenApiRoutes } from './rest/openapi.ts';
import type { Runtime } from './runtime.ts';

export interface App {
  fetch: (request: Request) => Response | Promise<Response>;
}

/**
 * The whole HTTP side, without a socket: what tests and the server share.
 *
 * @param stopping aborted when a shutdown begins
 */
export function createApp(runtime: Runtime, stopping = new AbortController().signal): App {
  const graphql = createGraphQLServer(runtime, stopping);
  const routes = createRoutes(runtime, graphql, stopping);
  return { fetch: createJsonPost(runtime, graphql, (request, begun = {}) => routes.fetch(request, begun)) };
}

/** All that the gateway answers. */
export function createRoutes(runtime: Runtime, graphql: GraphQLServer, stopping: AbortSignal): Hono<AppEnv> {
  const { config, log } = runtime;
  const app = new Hono<AppEnv>();

  app.use(requestId(), requestLog(log), cors(config), securityHeaders(config));
  app.use(limitBody(config.limits.bodyBytes));
  app.onError((error, c) => answerError(runtime, error, c));
  app.notFound((c) => answerNotFound(runtime, c));

  // The same for everybody: served without asking who it is, and so also while the database is away.
  app.route('/', createHealthRoutes(runtime, stopping));
  app.route('/', createOpenApiRoutes(runtime));
  if (config.graphql.graphiql) app.route('/', createGraphiqlRoutes());

  app.use(identify(runtime));
  app.all('/graphql', (c) =>
    graphql.fetch(c.req.raw, { viewer: c.get('viewer'), requestId: c.get('requestId') }),
  );
  app.route('/', createBrowserFlowRoutes(runtime));
  app.route('/', createSessionRoutes(runtime));
  app.route('/', createStartPage(config));
  app.route(CODER_BASE_PATH, createCoderRoutes(runtime, graphql.execute));
  app.route('/', createGitflicRoutes(runtime, graphql.execute));
  return app;
}
