import { isUtf8 } from 'node:buffer';
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
} from 'graphql';
import {
  createYoga,
  isAsyncIterable,
  mapAsyncIterator,
  type Plugin,
  type YogaServerInstance,
} from 'graphql-yoga';
import type { Runtime } from '../runtime.ts';
import type { Context } from './context.ts';
import type { DocumentCache } from './document-cache.ts';
import { toPublicError } from './errors.ts';
import { withLimits } from './limits.ts';
import { schema } from './schema.ts';
import { withSubscriptions } from './subscriptions.ts';

/** What the HTTP side knows of a request before GraphQL runs. */
export type RequestContext = Pick<Context, 'viewer' | 'requestId'>;

export type YogaServer = YogaServerInstance<RequestContext, { runtime: Runtime }>;

/**
 * @param onValid called with each document that is valid and within the limits on its text
 * @param stopping ends all subscriptions
 */
export function createYogaServer(
  runtime: Runtime,
  documentCache: DocumentCache,
  onValid: (document: DocumentNode) => void,
  stopping = new AbortController().signal,
): YogaServer {
  const { graphql, limits } = runtime.config;
  return createYoga<RequestContext, { runtime: Runtime }>({
    schema,
    context: () => ({ runtime }),
    graphqlEndpoint: '/graphql',
    // Ours is in graphiql.ts.
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: limits.bodyBytes,
    parserAndValidationCache: {
      documentCache,
      // A refused document may be as long as a body, and nobody needs it again.
      errorCache: { get: () => undefined, set: () => {} },
    },
    // CORS belongs to the whole app: see src/http.
    cors: false,
    logging: false,
    // Yoga's masking knows nothing of the request; withPublicErrors and execute.ts do it instead.
    maskedErrors: false,
    plugins: [
      jsonOnly,
      withPublicErrors(runtime),
      withLimits(limits),
      withSubscriptions(runtime, stopping),
      noting(onValid),
      !graphql.introspection && withoutIntrospection,
    ],
  });
}

/** Only a document that is valid comes this far. */
const noting = (onValid: (document: DocumentNode) => void): Plugin => ({
  onExecute: ({ args }) => onValid(args.document),
});

const withoutIntrospection: Plugin = {
  onValidate: ({ addValidationRule }) => addValidationRule(NoSchemaIntrospectionCustomRule),
};

/**
 * A form on another site can post urlencoded bodies and plain text without asking first; it cannot post JSON.
 */
const jsonOnly: Plugin = {
  onRequestParse({ request, requestParser, setRequestParser }) {
    if (
      request.method === 'POST' &&
      !/^application\/json *(?:;|$)/i.test(request.headers.get('content-type') ?? '')
    ) {
      throw refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'POST takes a body of the type application/json.');
    }
    if (request.method === 'POST' && requestParser) {
      setRequestParser(async (post) => {
        const body = await post.arrayBuffer();
        // The parser would put U+FFFD in place of what is none, and that would be stored.
        if (!isUtf8(body)) throw refusal(400, 'BAD_REQUEST', 'The body is not UTF-8.');
        return requestParser(new Request(post.url, { method: 'POST', headers: post.headers, body }));
      });
    }
    if (request.method === 'GET' && requestParser) {
      setRequestParser((get) => {
        try {
          return requestParser(get);
        } catch {
          throw refusal(400, 'BAD_REQUEST', 'The parameters "variables" and "extensions" take JSON.');
        }
      });
    }
  },
};

function refusal(status: number, code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status } } });
}

/** Whatever goes wrong on the way of a request passes here last. */
function withPublicErrors(runtime: Runtime): Plugin<object, RequestContext> {
  return {
    onResultProcess({ result, setResult, serverContext: { requestId } }) {
      if (isAsyncIterable(result)) {
        setResult(mapAsyncIterator(result, (part) => publicResult(runtime, requestId, part)));
      } else if (!Array.isArray(result)) {
        setResult(publicResult(runtime, requestId, result));
      }
    },
  };
}

/** The result of an operation with its errors as a client may see them. */
export function publicResult<Result extends ExecutionResult>(
  { config, log }: Runtime,
  requestId: string,
  result: Result,
): Result {
  if (!result.errors) return result;
  const exposure = { requestId, log, suggestions: config.graphql.introspection };
  return { ...result, errors: result.errors.map((error) => toPublicError(error, exposure)) };
}
