import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import type { Viewer } from '../../auth/viewer.ts';
import {
  GitflicAddSshKeyDocument,
  GitflicCreateOAuthAppDocument,
  GitflicDeleteOAuthAppDocument,
  GitflicListOAuthAppsDocument,
  type GitflicOAuthAppFragment,
  GitflicReadMeDocument,
  GitflicReadOAuthAppDocument,
  GitflicReplaceOAuthAppDocument,
} from '../../generated/operations.ts';
import { formatInstant } from '../../graphql/date-time.ts';
import type { Execute } from '../../graphql/execute.ts';
import { encodeGlobalId } from '../../graphql/global-id.ts';
import type { AppEnv } from '../../http/app-env.ts';
import { answerError } from '../../http/problem.ts';
import { readJsonBody } from '../../http/read-body.ts';
import type { Runtime } from '../../runtime.ts';
import { mountRoutes, type RestHandler } from '../mount-routes.ts';
import { createRun } from '../run-operation.ts';
import { GitflicProblem, internal, invalid, notFound, problemOf, signedOut } from './problem.ts';
import {
  gitflicRoutes,
  type Me,
  NewSshKey,
  type OAuthApp,
  OAuthAppId,
  OAuthAppInput,
  type OAuthAppPage,
  type SshKey,
} from './schemas.ts';

/** SaaS serves the paths at the root, an installation of one's own below `/rest-api`. */
const BASE_PATHS = ['', '/rest-api'];

/** GitFlic's dialect, to be mounted at the root. Each request runs GraphQL operations as its viewer. */
export function createGitflicRoutes(runtime: Runtime, execute: Execute): Hono<AppEnv> {
  const { bodyBytes, pageSize } = runtime.config.limits;
  const routes = gitflicRoutes(pageSize);
  const { query: pagingSchema } = routes.listOAuthApps.request;

  const run = createRun(execute, ([error], requestId) =>
    refusal({ code: String(error?.extensions.code), message: error?.message ?? 'no data' }, requestId),
  );

  /** The problem that answers a failed operation or a declared error. */
  function refusal(error: Parameters<typeof problemOf>[0], requestId: string): GitflicProblem {
    const problem = problemOf(error);
    if (problem) return problem;
    // What the operation masked is in the log already.
    runtime.log.error({ code: error.code, requestId }, 'operation failed');
    return internal(requestId);
  }

  async function bodyOf<Schema extends z.ZodType>(
    c: Context<AppEnv>,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    const body = await readJsonBody(c.req.raw, bodyBytes);
    return parse(schema, body);
  }

  /** Who is not signed in learns nothing of what is wrong with a request, and nothing of theirs is read. */
  function signedIn(handler: (c: Context<AppEnv>, viewer: Viewer) => Promise<object>): RestHandler {
    return async (c) => {
      const viewer = c.get('viewer');
      if (!viewer) throw signedOut();
      return json(c, 200, await handler(c, viewer));
    };
  }

  const handlers: Record<keyof typeof routes, RestHandler> = {
    readMe: signedIn(async (c): Promise<z.infer<typeof Me>> => {
      const { viewer } = await run(c, GitflicReadMeDocument, {});
      const fullName = viewer.displayName ?? viewer.username;
      const [name = '', ...surname] = fullName.split(' ');
      return {
        id: viewer.uuid,
        username: viewer.username,
        name,
        surname: surname.join(' '),
        email: viewer.email ?? '',
        fullName,
        avatar: null,
        cover: null,
      };
    }),

    addSshKey: signedIn(async (c, viewer): Promise<z.infer<typeof SshKey>> => {
      const { publicKey, title, expiresAt } = await bodyOf(c, NewSshKey);
      const input = { publicKey, title, expiresAt };
      const { addSshKey: result } = await run(c, GitflicAddSshKeyDocument, { input });
      if ('code' in result) throw refusal(result, c.get('requestId'));
      const { sshKey } = result;
      return {
        uuid: sshKey.uuid,
        publicKey: sshKey.publicKey,
        title: sshKey.title,
        expiresAt: sshKey.expiresAt ? formatInstant(new Date(sshKey.expiresAt)) : null,
        userUuid: viewer.user.id,
      };
    }),

    listOAuthApps: signedIn(async (c): Promise<z.infer<typeof OAuthAppPage>> => {
      const { page, size } = parse(pagingSchema, c.req.query());
      const { viewer } = await run(c, GitflicListOAuthAppsDocument, { size, offset: page * size });
      const { edges, totalCount } = viewer.oauthApps;
      return {
        _embedded: { oauthModelList: edges.map(({ node }) => appAnswer(node)) },
        page: {
          size,
          totalElements: totalCount,
          totalPages: Math.ceil(totalCount / size),
          number: page,
        },
      };
    }),

    readOAuthApp: signedIn(async (c): Promise<z.infer<typeof OAuthApp>> => {
      const { viewer } = await run(c, GitflicReadOAuthAppDocument, parse(OAuthAppId, c.req.param()));
      if (!viewer.oauthApp) throw notFound('The OAuth app was not found.');
      return appAnswer(viewer.oauthApp);
    }),

    createOAuthApp: signedIn(async (c): Promise<z.infer<typeof OAuthApp>> => {
      const { authCallbackUrl, ...rest } = await bodyOf(c, OAuthAppInput);
      const input = { ...rest, redirectUris: [authCallbackUrl] };
      const { createOAuthApp: result } = await run(c, GitflicCreateOAuthAppDocument, { input });
      if ('code' in result) throw refusal(result, c.get('requestId'));
      return { ...appAnswer(result.oauthApp), clientSecret: result.clientSecret };
    }),

    replaceOAuthApp: signedIn(async (c): Promise<z.infer<typeof OAuthApp>> => {
      const id = globalId(c);
      // This dialect knows one redirect URI. A client of it that changes a name must not cut off the users who
      // return to the others.
      const { authCallbackUrl: firstRedirectUri, ...rest } = await bodyOf(c, OAuthAppInput);
      const input = { ...rest, id, firstRedirectUri };
      const { updateOAuthApp: result } = await run(c, GitflicReplaceOAuthAppDocument, { input });
      if ('code' in result) throw refusal(result, c.get('requestId'));
      return appAnswer(result.oauthApp);
    }),

    deleteOAuthApp: signedIn(async (c) => {
      const { deleteOAuthApp: result } = await run(c, GitflicDeleteOAuthAppDocument, {
        input: { id: globalId(c) },
      });
      if ('code' in result) throw refusal(result, c.get('requestId'));
      return {};
    }),
  };

  const app = new Hono<AppEnv>();
  for (const base of BASE_PATHS) {
    mountRoutes(app, base, routes, handlers, (_c, allow) => {
      throw new GitflicProblem('METHOD_NOT_ALLOWED', 405, `This path takes ${allow}.`, {
        headers: { allow },
      });
    });
  }
  // What else GitFlic's clients may ask for answers in their dialect too.
  for (const territory of ['/user', '/user/*', '/rest-api', '/rest-api/*']) {
    app.all(territory, () => {
      throw notFound('There is nothing at this path.');
    });
  }
  app.onError((error, c) => {
    // All others are written out in this dialect, too: by the path.
    if (!(error instanceof GitflicProblem)) return answerError(runtime, error, c);
    for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
    return json(c, error.status, error.toBody(c.req.path, runtime.clock()));
  });
  return app;
}

/** Answers are one user's own, and some carry a credential: nobody may keep them. */
function json(c: Context<AppEnv>, status: number, body: object): Response {
  return c.json(body, status as ContentfulStatusCode, { 'cache-control': 'no-store' });
}

/** @throws GitflicProblem that names every fault of this part of the request */
function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(
    result.error.issues.map(({ path, message }) => ({ field: path.join('.') || 'body', message })),
  );
}

function globalId(c: Context<AppEnv>): string {
  return encodeGlobalId('OAuthApp', parse(OAuthAppId, c.req.param()).id);
}

function appAnswer(app: GitflicOAuthAppFragment): z.infer<typeof OAuthApp> {
  return {
    id: app.uuid,
    name: app.name,
    description: app.description,
    clientId: app.clientId,
    clientSecret: app.clientSecret ?? '',
    homepageUrl: app.homepageUrl,
    authCallbackUrl: app.redirectUris[0] ?? '',
    standalone: app.standalone,
  };
}
