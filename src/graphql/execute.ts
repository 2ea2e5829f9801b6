import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { ExecutionResult } from 'graphql';
import type { Viewer } from '../auth/viewer.ts';
import type { Runtime } from '../runtime.ts';
import { type GraphQLServer, publicResult } from './yoga.ts';

/** Runs an operation of our own for a viewer, through the same pipeline as a request to `/graphql`. */
export type Execute = <Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  as: { viewer: Viewer | null; requestId: string },
) => Promise<ExecutionResult<Data>>;

/** The one way to run an operation in-process. Documents are typed and parsed when the code is generated. */
export function createExecute(runtime: Runtime, yoga: GraphQLServer): Execute {
  return async <Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    as: { viewer: Viewer | null; requestId: string },
  ) => {
    const { contextFactory, execute, schema } = yoga.getEnveloped({ ...as });
    const result = await execute({
      schema,
      document,
      variableValues: variables,
      contextValue: await contextFactory(),
    });
    return publicResult(runtime, as.requestId, result) as ExecutionResult<Data>;
  };
}
