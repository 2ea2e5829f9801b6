import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { GraphQLError } from 'graphql';
import type { Context } from 'hono';
import type { Execute } from '../graphql/execute.ts';
import type { AppEnv } from '../http/app-env.ts';

/** Runs the GraphQL operation behind a request, as the request's viewer. Declared errors are in the data. */
export type Run = <Data, Variables extends Record<string, unknown>>(
  c: Context<AppEnv>,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
) => Promise<Data>;

/** @param problemOfErrors makes of the operation's own errors what is thrown, in the dialect of the caller */
export function createRun(
  execute: Execute,
  problemOfErrors: (errors: readonly GraphQLError[], requestId: string) => Error,
): Run {
  return async (c, document, variables) => {
    const requestId = c.get('requestId');
    const { data, errors } = await execute(document, variables, { viewer: c.get('viewer'), requestId });
    if (errors || !data) throw problemOfErrors(errors ?? [], requestId);
    return data;
  };
}
