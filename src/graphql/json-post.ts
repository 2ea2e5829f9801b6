import { isUtf8 } from 'node:buffer';
import { type DocumentNode, OperationTypeNode } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import type { Execute } from './execute.ts';
import { findOperation } from './operation.ts';
import type { RequestContext } from './yoga.ts';

/** Answers a request to /graphql. */
export type GraphQLFetch = (request: Request, as: RequestContext) => Promise<Response>;

export interface JsonPostOptions {
  /** The way that can do everything. */
  fetch: GraphQLFetch;
  execute: Execute;
  /** The parsed document of a text that Yoga has validated and run before. */
  findKnownDocument: (text: string) => DocumentNode | undefined;
}

/** What clients send for Accept, and the type that Yoga answers with. */
const MEDIA_TYPES = new Map([
  ['application/json', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
  ['application/graphql-response+json, application/json', 'application/graphql-response+json'],
  ['*/*', 'application/json'],
]);

/**
 * The common request, a JSON POST of a document that ran before, without Yoga's HTTP layer, which takes longer than
 * GraphQL itself. Everything else is handed to Yoga as it came: the first request with a document, other methods
 * and types, subscriptions, and whatever is wrong in any way. A test sends requests of all kinds both ways and
 * compares the answers.
 */
export function createJsonPost({ fetch, execute, findKnownDocument }: JsonPostOptions): GraphQLFetch {
  return async (request, as) => {
    const mediaType = MEDIA_TYPES.get(request.headers.get('accept') ?? '*/*');
    if (request.method !== 'POST' || !mediaType || !isJson(request)) return fetch(request, as);
    const bytes = await request.arrayBuffer();
    const params = readParams(bytes);
    const document = params && findKnownDocument(params.query);
    const found = document && findOperation(document, params.operationName);
    // A document may hold a query, which ran before, and a subscription.
    if (!found || found.operation.operation === OperationTypeNode.SUBSCRIPTION)
      return fetch(withBody(request, bytes), as);
    const result = await execute(document, params.variables, as, params.operationName);
    if (result.errors) return processRegularResult(result, { Response } as never, mediaType);
    return new Response(JSON.stringify(result), {
      headers: { 'content-type': `${mediaType}; charset=utf-8` },
    });
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
