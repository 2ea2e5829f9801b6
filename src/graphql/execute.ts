import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { ExecutionResult } from 'graphql';
import type { Viewer } from '../auth/viewer.ts';
import type { GraphQLServer } from './yoga.ts';

/** Runs an operation of our own for a viewer, through the same pipeline as a request to `/graphql`. */
export type Execute = <Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  as: { viewer: Viewer | null; requestId: string },
) => Promise<ExecutionResult<Data>>;

/** The one way to run an operation in-process. Documents are typed and parsed when the code is generated. */
export function createExecute(yoga: GraphQLServer): Execute {
  return async <Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    as: object,
  ) => {
    const { contextFactory, execute, schema } = yoga.getEnveloped(as);
    return (await execute({
      schema,
      document,
      variableValues: variables,
      contextValue: await contextFactory(),
    })) as ExecutionResult<Data>;
  };
}
