import { isUtf8 } from 'node:buffer';
import { OperationTypeNode } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import { getPath } from 'hono/utils/url';
import type { Begun } from '../http/app-env.ts';
import { createCorsHeaders } from '../http/cors.ts';
import { createIdentify } from '../http/identify.ts';
import { requestIdOf } from '../http/request-id.ts';
import { logRequest } from '../http/request-log.ts';
import { securityHeadersOf } from '../http/security-headers.ts';
import type { Runtime } from '../runtime.ts';
import { findOperation } from './operation.ts';
import type { GraphQLServer } from './server.ts';

/** Answers any request. */
type Fetch = (request: Request, begun?: Begun) => Response | Promise<Response>;

/** What clients send for Accept, and the type that Yoga answers with. */
const MEDIA_TYPES = new Map([
  ['application/json', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
  ['application/graphql-response+json, application/json', 'application/graphql-response+json'],
  ['*/*', 'application/json'],
]);

/**
 * The common request, a JSON POST of a document that ran before, without Yoga's HTTP layer and without the routes:
 * they take longer than GraphQL itself. Everything else is handed to them as it came: the first request with a
 * document, other methods and types, subscriptions, and whatever is wrong in any way. A test sends requests of all
 * kinds both ways and compares the answers.
 *
 * @param routes the way that can do everything
 */
export function createJsonPost(
  runtime: Runtime,
  { executeToJson, findKnownDocument }: Pick<GraphQLServer, 'executeToJson' | 'findKnownDocument'>,
  routes: Fetch,
): (request: Request) => Response | Promise<Response> {
  const { config, log } = runtime;
  const identify = createIdentify(runtime);
  const securityHeaders = securityHeadersOf(config);
  const corsHeaders = createCorsHeaders(config);

  async function answer(request: Request, mediaType: string): Promise<Response> {
    const start = performance.now();
    const requestId = requestIdOf(request);
    try {
      const { viewer } = await identify(request);
      const bytes = await request.arrayBuffer();
      const params = readParams(bytes);
      const document = params && findKnownDocument(params.query);
      const found = document && findOperation(document, params.operationName);
      // A document may hold a query, which ran before, and a subscription.
      if (!found || found.operation.operation === OperationTypeNode.SUBSCRIPTION)
        return routes(withBody(request, bytes), { requestId });

      const result = await executeToJson(
        document,
        params.variables,
        { viewer, requestId },
        params.operationName,
      );
      const { status, body, headers } =
        typeof result !== 'string' && result.errors
          ? await read(processRegularResult(result, { Response } as never, mediaType))
          : {
              status: 200,
              // As bytes: text would be joined with the headers first, which copies it.
              body: Buffer.from(typeof result === 'string' ? result : JSON.stringify(result)),
              headers: { 'content-type': `${mediaType}; charset=utf-8` },
            };
      logRequest(log, { requestId, method: 'POST', route: PATH, status, start, viewer });
      return new Response(body, {
        status,
        headers: { ...securityHeaders, ...corsHeaders(request), ...headers, 'x-request-id': requestId },
      });
    } catch (error) {
      return routes(request, { requestId, failed: { error } });
    }
  }

  return (request) => {
    const mediaType =
      isCommon(request, config.limits.bodyBytes) && MEDIA_TYPES.get(request.headers.get('accept') ?? '*/*');
    return mediaType ? answer(request, mediaType) : routes(request);
  };
}

const PATH = '/graphql';

/** Whether it is a JSON POST whose length is told, so that Node's parser holds it to that. */
function isCommon(request: Request, maxBytes: number): boolean {
  if (request.method !== 'POST' || getPath(request) !== PATH || !isJson(request)) return false;
  const length = request.headers.get('content-length');
  return length !== null && Number(length) <= maxBytes;
}

async function read(response: Response) {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}

function isJson(request: Request): boolean {
  const type = request.headers.get('content-type');
  return type === 'application/json' || type?.toLowerCase() === 'application/json; charset=utf-8';
}

interface Params {
  query: string;
  operationName: string | null;
  variables: Record<string, unknown>;
}

const PARAMETERS = new Set(['query', 'operationName', 'variables']);

/** Null when anything is not as usual. */
function readParams(bytes: ArrayBuffer): Params | null {
  if (!isUtf8(bytes)) return null;
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
  if (!isPlainObject(body) || !Object.keys(body).every((key) => PARAMETERS.has(key))) return null;
  const { query, operationName = null, variables } = body;
  if (typeof query !== 'string' || (operationName !== null && typeof operationName !== 'string')) return null;
  if (variables != null && !isPlainObject(variables)) return null;
  return { query, operationName, variables: variables ?? {} };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The request again, for it is read only once. */
function withBody(request: Request, body: ArrayBuffer): Request {
  return new Request(request.url, { method: 'POST', headers: request.headers, body, signal: request.signal });
}
