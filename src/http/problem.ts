import { STATUS_CODES } from 'node:http';
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import { DomainError, NotFound, ServiceUnavailable } from '../errors.ts';
import { GitflicProblem, problemOf } from '../rest/gitflic/problem.ts';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';
import { renderPage } from './page.ts';

/** What went wrong before a route, or outside of any. */
interface Problem {
  code: string;
  status: number;
  message: string;
}

type WriteProblem = (c: Context<AppEnv>, problem: Problem, runtime: Runtime) => Response | Promise<Response>;

/** Which paths speak which dialect. The first that fits decides. */
const DIALECTS: [path: RegExp, write: WriteProblem][] = [
  [/^\/graphql(?:\/|$)/, writeGraphQL],
  [/^\/api\/v2(?:\/|$)/, writeCoder],
  [/^\/(?:user|rest-api)(?:\/|$)/, writeGitflic],
  [/^/, writePlain],
];

/**
 * Answers an error that no route has answered, in the dialect of the path. One that is not expected is logged with
 * its stack and masked.
 */
export function answerError(
  runtime: Runtime,
  error: unknown,
  c: Context<AppEnv>,
): Response | Promise<Response> {
  const problem = toProblem(runtime, error, c);
  const [, write] = DIALECTS.find(([path]) => path.test(c.req.path)) ?? [null, writePlain];
  return write(c, problem, runtime);
}

/** Answers a path that nothing is at. */
export function answerNotFound(runtime: Runtime, c: Context<AppEnv>): Response | Promise<Response> {
  return answerError(runtime, new NotFound('This path'), c);
}

function toProblem({ log }: Runtime, error: unknown, c: Context<AppEnv>): Problem {
  const expected = isDatabaseUnavailable(error) ? new ServiceUnavailable(error) : error;
  const requestId = c.get('requestId');
  if (expected instanceof DomainError && expected.status !== 500) {
    if (expected.status > 500) log.error({ err: expected, requestId }, 'request failed');
    if (expected instanceof ServiceUnavailable) c.header('retry-after', String(expected.retryAfter));
    return expected;
  }
  log.error({ err: error, requestId }, 'request failed');
  return {
    code: 'INTERNAL_SERVER_ERROR',
    status: 500,
    message: `Something went wrong on our side. Tell the administrator the request id: ${requestId}`,
  };
}

function writeGraphQL(c: Context<AppEnv>, { code, status, message }: Problem): Response {
  const extensions = { code, ...(status === 500 && { requestId: c.get('requestId') }) };
  return c.json({ errors: [{ message, extensions }] }, status as ContentfulStatusCode);
}

function writeCoder(c: Context<AppEnv>, { status, message }: Problem): Response {
  const type = { 'content-type': 'application/json; charset=utf-8' };
  return c.json({ message }, status as ContentfulStatusCode, type);
}

function writeGitflic(c: Context<AppEnv>, { code, status, message }: Problem, { clock }: Runtime): Response {
  const problem = problemOf({ code, message }) ?? new GitflicProblem(code, status, message);
  return c.json(problem.toBody(c.req.path, clock()), problem.status as ContentfulStatusCode);
}

/** Where no dialect rules: a page for people, and RFC 9457 for programs. */
function writePlain(c: Context<AppEnv>, { code, status, message }: Problem): Response | Promise<Response> {
  const title = STATUS_CODES[status] ?? 'Error';
  if (c.req.header('accept')?.includes('text/html')) {
    return renderPage(c, {
      status,
      title,
      body: html`<p>${message}</p><p><a href="/">Start page</a></p>`,
    });
  }
  const body = { title, status, detail: message, code, requestId: c.get('requestId') };
  return c.json(body, status as ContentfulStatusCode, { 'content-type': 'application/problem+json' });
}
