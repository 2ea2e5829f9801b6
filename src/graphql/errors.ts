import { GraphQLError } from 'graphql';
import { DomainError, type InputIssue, InvalidInput, NotFound } from '../errors.ts';
import { builder } from './builder.ts';

/** The interface of every declared error. */
export const UserError = builder.interfaceRef<DomainError>('UserError').implement({
  description:
    'A failure that a mutation declares. `code` is permanent; `message` is for people and may change.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Permanent, for programs.' }),
    message: t.exposeString('message', { description: 'For people.' }),
    path: t.stringList({
      nullable: true,
      description: 'Where in the arguments the fault lies, such as `["input", "title"]`; null when nowhere.',
      resolve: ({ path }) => path,
    }),
  }),
});

const InputIssueRef = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'One fault of an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description: 'Where in the arguments, such as `["input", "title"]`.',
    }),
    message: t.exposeString('message', { description: 'What is wrong, and what is accepted.' }),
  }),
});

builder.objectType(InvalidInput, {
  name: 'InvalidInput',
  description: 'Inputs break a rule. Nothing was stored.',
  interfaces: [UserError],
  fields: (t) => ({
    issues: t.field({
      type: [InputIssueRef],
      description: 'Every fault, not just the first.',
      resolve: ({ issues }) => issues,
    }),
  }),
});

builder.objectType(NotFound, {
  name: 'NotFound',
  description: 'There is no such thing, or it belongs to somebody else.',
  interfaces: [UserError],
});

/** HTTP's status for the codes that have one; every other error of an operation is answered with 200. */
const HTTP_STATUS: Record<string, number> = { UNAUTHENTICATED: 401 };

/**
 * What a client may see of an error: a declared one whole; GraphQL's own (syntax, validation) as it is; anything
 * else is a bug, logged with the request's id and masked.
 */
export function toPublicError(
  error: unknown,
  requestId: string,
  logBug: (error: unknown) => void,
): GraphQLError {
  const original = error instanceof GraphQLError ? error.originalError : error;
  const position =
    error instanceof GraphQLError
      ? { nodes: error.nodes, source: error.source, positions: error.positions, path: error.path }
      : {};
  if (original instanceof DomainError) {
    if (original.status >= 500) logBug(original);
    const http = HTTP_STATUS[original.code] && { status: HTTP_STATUS[original.code] };
    return new GraphQLError(original.message, {
      ...position,
      extensions: {
        code: original.code,
        ...(original.path && { path: original.path }),
        ...(http && { http }),
      },
    });
  }
  // Made on purpose by a scalar, a limit or graphql-js itself: it has no foreign error inside.
  if (error instanceof GraphQLError && (!original || original instanceof GraphQLError)) return error;
  logBug(original);
  return new GraphQLError('Something went wrong on our side. Tell the administrator the request id.', {
    ...position,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}
