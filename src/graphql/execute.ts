import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode, ExecutionResult } from 'graphql';
import type { Runtime } from '../runtime.ts';
import { createRepeatedQuery, type RepeatedQuery } from './compiled-query.ts';
import { publicResult, type RequestContext, type YogaServer } from './yoga.ts';

/**
 * Runs an operation whose document is valid, for a viewer. Errors are as a client may see them.
 *
 * @returns the result, or its JSON
 */
export type ExecuteToJson = (
  document: DocumentNode,
  variables: Record<string, unknown>,
  as: RequestContext,
  operationName?: string | null,
) => Promise<ExecutionResult | string>;

/** The same for who reads the result. */
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
export function createExecuteToJson(runtime: Runtime, yoga: YogaServer): ExecuteToJson {
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
    if (typeof result === 'string') return result;
    if (result) return publicResult(runtime, requestId, result);

    const { contextFactory, execute, schema } = yoga.getEnveloped({ viewer, requestId });
    const interpreted = await execute({
      schema,
      document,
      operationName,
      variableValues: variables,
      contextValue: await contextFactory(),
    });
    return publicResult(runtime, requestId, interpreted as ExecutionResult);
  };
}

export function createExecute(executeToJson: ExecuteToJson): Execute {
  return async (document, variables, as, operationName) => {
    const result = await executeToJson(document, variables, as, operationName);
    return typeof result === 'string' ? JSON.parse(result) : result;
  };
}
