import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import {
  CoderExchangeDeviceDocument,
  CoderExternalAuthDocument,
  CoderExternalAuthsDocument,
  CoderMachineTokenDocument,
  CoderStartDeviceDocument,
  CoderUnlinkDocument,
} from '../../generated/operations.ts';
import type { Execute } from '../../graphql/execute.ts';
import type { AppEnv } from '../../http/app-env.ts';
import { readJsonBody, UnreadableBody } from '../../http/read-body.ts';
import type { Runtime } from '../../runtime.ts';
import { mountRoutes, type RestHandler } from '../mount-routes.ts';
import { createRun } from '../run-operation.ts';
import { externalAuthAnswer, listAnswer, machineTokenAnswer } from './answers.ts';
import { CoderProblem, internal, notFound, problemOf, problemOfErrors, signedOut } from './problem.ts';
import {
  type ExternalAuthDeletion,
  type ExternalAuthDevice,
  ExternalAuthDeviceExchange,
  routes,
} from './schemas.ts';

/** Coder's dialect, to be mounted at its base path. Each request runs one GraphQL operation as its viewer. */
export function createCoderRoutes(runtime: Runtime, execute: Execute): Hono<AppEnv> {
  const run = createRun(execute, problemOfErrors);

  const handlers: Record<keyof typeof routes, RestHandler> = {
    list: signedIn(async (c) => {
      const { viewer, externalAuthProviders } = await run(c, CoderExternalAuthsDocument, {});
      return json(c, 200, listAnswer(viewer.externalAuthLinks, externalAuthProviders));
    }),

    read: signedIn(async (c) => {
      const { externalAuthProvider } = await run(c, CoderExternalAuthDocument, byProvider(c));
      if (!externalAuthProvider) throw notFound();
      const { link } = externalAuthProvider;
      // This shape has no place for "we could not ask", and a plain false would make clients link again.
      if (link?.validation === 'UNKNOWN') {
        throw new CoderProblem(502, {
          message: 'It cannot be told right now whether your link still works.',
          detail: link.validateError ?? undefined,
        });
      }
      return json(c, 200, externalAuthAnswer(externalAuthProvider));
    }),

    remove: signedIn(async (c) => {
      const { unlinkExternalAuth: result } = await run(c, CoderUnlinkDocument, byProvider(c));
      if ('code' in result) throw problemOf(result, c.get('requestId'));
      const answer: z.infer<typeof ExternalAuthDeletion> = {
        token_revoked: result.tokenRevoked,
        token_revocation_error: result.tokenRevocationError ?? undefined,
      };
      return json(c, 200, answer);
    }),

    startDevice: signedIn(async (c) => {
      const { startExternalAuthDevice: result } = await run(c, CoderStartDeviceDocument, byProvider(c));
      if ('code' in result) throw problemOf(result, c.get('requestId'));
      const answer: z.infer<typeof ExternalAuthDevice> = {
        device_code: result.device.deviceCode,
        user_code: result.device.userCode,
        verification_uri: result.device.verificationUri,
        expires_in: result.device.expiresIn,
        interval: result.device.interval,
      };
      return json(c, 200, answer);
    }),

    exchangeDevice: signedIn(async (c) => {
      const body = await readJsonBody(c.req.raw, runtime.config.limits.bodyBytes);
      // The documentation shows the request without a body; real clients name the device code.
      const deviceCode = body === undefined ? null : parseExchange(body).device_code;
      const { exchangeExternalAuthDevice: result } = await run(c, CoderExchangeDeviceDocument, {
        ...byProvider(c),
        deviceCode,
      });
      if ('code' in result) throw problemOf(result, c.get('requestId'));
      return c.body(null, 204);
    }),

    machineToken: signedIn(async (c) => {
      // An empty parameter is none, as the real server has it.
      const { externalAuthToken } = await run(c, CoderMachineTokenDocument, {
        match: c.req.query('match') || null,
        id: c.req.query('id') || null,
      });
      if (!externalAuthToken) throw notFound();
      return json(c, 200, machineTokenAnswer(externalAuthToken));
    }),
  };

  const app = new Hono<AppEnv>();
  mountRoutes(app, '', routes, handlers, (_c, allow) => {
    throw new CoderProblem(405, { message: `This path takes ${allow}.` }, { allow });
  });
  app.all('*', () => {
    throw new CoderProblem(404, { message: 'Route not found.' });
  });
  app.onError((error, c) => writeProblem(c, toProblem(runtime, error, c)));
  return app;
}

/** Who is not signed in learns nothing: not whether a provider exists, nor what is wrong with a body. */
function signedIn(handler: RestHandler): RestHandler {
  return (c) => {
    if (!c.get('viewer')) throw signedOut(c.get('hasCredential'));
    return handler(c);
  };
}

function byProvider(c: Context<AppEnv>): { providerId: string } {
  return { providerId: c.req.param('externalauth') ?? '' };
}

/** @throws CoderProblem */
function parseExchange(body: unknown): z.infer<typeof ExternalAuthDeviceExchange> {
  const result = ExternalAuthDeviceExchange.safeParse(body);
  if (result.success) return result.data;
  const validations = result.error.issues.map(({ path, message }) => ({
    field: path.join('.') || 'body',
    detail: message,
  }));
  throw new CoderProblem(400, { message: 'The body is not as it should be.', validations });
}

function toProblem(runtime: Runtime, error: unknown, c: Context<AppEnv>): CoderProblem {
  if (error instanceof CoderProblem) return error;
  if (error instanceof UnreadableBody) return new CoderProblem(error.status, { message: error.message });
  runtime.log.error({ err: error, requestId: c.get('requestId') }, 'request failed');
  return internal(c.get('requestId'));
}

function writeProblem(c: Context<AppEnv>, { status, body, headers }: CoderProblem): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return json(c, status, body);
}

/** Answers are one user's own, and some carry a credential: nobody may keep them. */
function json(c: Context<AppEnv>, status: number, body: object): Response {
  c.header('content-type', 'application/json; charset=utf-8');
  c.header('cache-control', 'no-store');
  return c.body(JSON.stringify(body), status as ContentfulStatusCode);
}
