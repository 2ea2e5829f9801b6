import { PothosValidationError } from '@pothos/core';
import { GraphQLError, type GraphQLErrorExtensions } from 'graphql';
import type { Logger } from 'pino';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import {
  DomainError,
  ExecutionTimeout,
  type InputIssue,
  InvalidInput,
  NotFound,
  ServiceUnavailable,
  Unauthenticated,
} from '../errors.ts';
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
      resolve: ({ inputPath }) => inputPath,
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

/** What `toPublicError` needs to know of the request and of the settings. */
export interface Exposure {
  requestId: string;
  log: Logger;
  /** Whether messages may name fields that the client did not: "Did you mean …?" is introspection by guessing. */
  suggestions: boolean;
}

/** A message may quote the client's value, which may be as long as the whole body. */
const MAX_MESSAGE = 500;

/**
 * What a client may see of an error: a declared one whole; GraphQL's own (syntax, validation, coercion) with a
 * code; anything else is a bug, logged with its cause and the request's id, and masked.
 */
export function toPublicError(error: unknown, { requestId, log, suggestions }: Exposure): GraphQLError {
  const original = originalOf(error);
  const position =
    error instanceof GraphQLError
      ? { nodes: error.nodes, source: error.source, positions: error.positions, path: error.path }
      : {};

  const expected = toDomainError(original);
  if (expected instanceof DomainError) {
    if (expected.status >= 500) log.error({ err: expected, requestId }, 'operation failed');
    return new GraphQLError(expected.message, { ...position, extensions: extensionsOf(expected) });
  }

  if (original instanceof GraphQLError) {
    const code = original.extensions.code ?? codeOf(original.message, position.path);
    if (code) {
      const { originalError: _, http: given, ...extensions } = original.extensions;
      const http = httpOf(code, given as object | undefined);
      return new GraphQLError(readable(original.message, suggestions), {
        ...position,
        extensions: { ...extensions, code, ...(http && { http }) },
      });
    }
  }

  log.error({ err: original, path: position.path, requestId }, 'operation failed');
  return new GraphQLError('Something went wrong on our side. Tell the administrator the request id.', {
    ...position,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });
}

/** The error that was thrown, without the wrappers that say where. */
function originalOf(error: unknown): unknown {
  let original = error;
  while (original instanceof GraphQLError && original.originalError) original = original.originalError;
  return original;
}

/** Failures of the libraries below that are expected all the same. */
function toDomainError(original: unknown): unknown {
  if (isDatabaseUnavailable(original)) return new ServiceUnavailable(original);
  const [, types] =
    (original instanceof PothosValidationError && /^ID: .+ is not of type: (.+)$/s.exec(original.message)) ||
    [];
  if (!types) return original;
  return new InvalidInput([
    { path: ['id'], message: `The id is one of another type: pass the id of: ${types}.` },
  ]);
}

function extensionsOf(error: DomainError): GraphQLErrorExtensions {
  return {
    code: error.code,
    ...(error.inputPath && { path: error.inputPath }),
    ...(error instanceof InvalidInput && { issues: error.issues }),
    ...(error instanceof Unauthenticated && {
      // RFC 9110 section 11.6.1: a 401 says how to authenticate.
      http: { status: 401, headers: { 'WWW-Authenticate': 'Bearer realm="Gatehouse"' } },
    }),
    ...(error instanceof ServiceUnavailable && {
      http: { status: 503, headers: { 'Retry-After': String(error.retryAfter) } },
    }),
    ...(error instanceof ExecutionTimeout && { http: { status: 504 } }),
  };
}

/** The code of an error of graphql-js, which gives none itself; undefined when it tells of a bug of ours. */
function codeOf(message: string, path: GraphQLError['path']): string | undefined {
  if (message.startsWith('Syntax Error:')) return 'GRAPHQL_PARSE_FAILED';
  // While executing, only arguments can be the client's fault; a result that does not fit its type is ours.
  if (path) return message.startsWith('Argument "') ? 'BAD_USER_INPUT' : undefined;
  return 'BAD_USER_INPUT';
}

/**
 * HTTP's side of GraphQL's own errors. `spec`, as Yoga has it, means that the status is for answers of the type
 * application/graphql-response+json only, and application/json gets 200.
 */
function httpOf(code: unknown, given: object | undefined): object | undefined {
  if (code === 'GRAPHQL_PARSE_FAILED') return { status: 400, spec: true };
  if (code === 'BAD_REQUEST') return { status: 400, ...given, spec: false };
  return given;
}

function readable(message: string, suggestions: boolean): string {
  const text = suggestions ? message : message.replace(/ Did you mean .+\?$/s, '');
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE).toWellFormed()}…` : text;
}
