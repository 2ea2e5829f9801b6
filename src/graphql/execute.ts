import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode, ExecutionResult } from 'graphql';
import type { Runtime } from '../runtime.ts';
import { createRepeatedQuery, type RepeatedQuery } from './compiled-query.ts';
import { publicResult, type RequestContext, type YogaServer } from './yoga.ts';

/** Runs an operation whose document is valid, for a viewer. Errors are as a client may see them. */
export type Execute = <Data, Values extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Values>,
  variables: Values,
  as: RequestContext,
  operationName?: string | null,
) => Promise<ExecutionResult<Data>>;

/**
 * The one way to run an operation in-process. Queries that come again and again run compiled, which takes half the
 * time of interpreting them; whatever is not a plain success goes through Yoga's pipeline, so that errors and limits
 * come about in one way only.
 */
export function createExecute(runtime: Runtime, yoga: YogaServer): Execute {
  const queries = new WeakMap<DocumentNode, RepeatedQuery | null>();

  function repeated(document: DocumentNode): RepeatedQuery | null {
    const known = queries.get(document);
    if (known !== undefined) return known;
    const query = createRepeatedQuery(document, runtime.config.limits);
    queries.set(document, query);
    return query;
  }

  return async (document, variables, as, operationName = null) => {
    const { viewer, requestId } = as;
    const query = repeated(document);
    const result = query && (await query.run(operationName, variables, { runtime, viewer, requestId }));
    if (result) return publicResult(runtime, requestId, result) as ExecutionResult<never>;

    const { contextFactory, execute, schema } = yoga.getEnveloped({ viewer, requestId });
    const interpreted = await execute({
      schema,
      document,
      operationName,
      variableValues: variables,
      contextValue: await contextFactory(),
    });
    return publicResult(runtime, requestId, interpreted) as ExecutionResult<never>;
  };
}
