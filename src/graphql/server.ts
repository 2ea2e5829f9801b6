import type { DocumentNode } from 'graphql';
import type { Runtime } from '../runtime.ts';
import { createDocumentCache } from './document-cache.ts';
import { createExecute, createExecuteToJson, type Execute, type ExecuteToJson } from './execute.ts';
import { createYogaServer, type RequestContext } from './yoga.ts';

/** Up to 64 MB of parsed documents, or some hundred of the usual length. */
const CACHED_CHARACTERS = 320_000;

/** Everything of GraphQL that the HTTP side and the REST dialects use. */
export interface GraphQLServer {
  /** Answers a request to /graphql, whatever it is. */
  fetch: (request: Request, as: RequestContext) => Promise<Response>;
  execute: Execute;
  executeToJson: ExecuteToJson;
  /** The parsed document of a text that `fetch` has validated and run before. */
  findKnownDocument: (text: string) => DocumentNode | undefined;
}

/** @param stopping aborted when a shutdown begins */
export function createGraphQLServer(runtime: Runtime, stopping?: AbortSignal): GraphQLServer {
  const documents = createDocumentCache(CACHED_CHARACTERS);
  const ran = new WeakSet<DocumentNode>();
  const yoga = createYogaServer(runtime, documents, (document) => ran.add(document), stopping);
  const executeToJson = createExecuteToJson(runtime, yoga);
  return {
    fetch: async (request, as) => yoga.fetch(request, as),
    execute: createExecute(executeToJson),
    executeToJson,
    findKnownDocument(text) {
      const document = documents.get(text);
      return document && ran.has(document) ? document : undefined;
    },
  };
}
