import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { PageKey } from '../db/owned-rows.ts';
import { type InputIssue, InvalidInput } from '../errors.ts';
import { argumentsOf } from './cost.ts';
import { isUuid } from './global-id.ts';
import type { Operation } from './operation.ts';

/** Items of a page when the client names no number. */
export const DEFAULT_PAGE_SIZE = 20;

/** Whether a field is a list that is read page by page. */
export function isPaged({ args }: Pick<GraphQLField<unknown, unknown>, 'args'>): boolean {
  return args.some(({ name }) => name === 'first');
}

/** What Prisma is asked for one page, newest first. `take` is negative for a page from the end. */
interface PageQuery {
  cursor?: { id?: string };
  skip?: number;
  take?: number;
}

/**
 * Turns the query of a `t.prismaConnection` into one by position. Ids are UUIDs of version 7, so the order of ids
 * is the order of creation, and a cursor is a place in it rather than a row: paging goes on behind a row that was
 * deleted meanwhile, and a cursor of another user's row tells nothing of that row.
 */
export function newestFirst<Query extends PageQuery, Where extends object>(
  { cursor, skip: _, ...query }: Query,
  where: Where,
) {
  const position = cursor?.id && { id: (query.take ?? 0) < 0 ? { gt: cursor.id } : { lt: cursor.id } };
  return {
    ...query,
    where: { AND: [where, ...(position ? [position] : [])] },
    orderBy: { id: 'desc' as const },
  };
}

/** Arguments of a list, as its field's resolver is given them: checked. It may have others besides. */
export interface PageArguments {
  first?: number | null;
  after?: string | null;
  offset?: number | null;
}

/**
 * The page that arguments ask for when it lies at the start or behind a cursor, as nearly all do: such pages are read
 * for many requests together. With one row more, which tells whether there are others behind the page. Null for a page
 * from the end, or with any other argument.
 */
export function pageOf({ first, after, offset, ...others }: PageArguments, userId: string): PageKey | null {
  if (Object.values(others).some((value) => value != null)) return null;
  const before = after == null ? null : decode(after).slice(CURSOR_PREFIX.length);
  return { userId, take: (first ?? DEFAULT_PAGE_SIZE) + 1, skip: offset ?? 0, before };
}

/** A list that is short. */
export function wholeListOf(userId: string): PageKey {
  return { userId, take: MAX_ROWS, skip: 0, before: null };
}

/** As large as an integer of PostgreSQL gets. */
const MAX_ROWS = 2 ** 31 - 1;

/** A field of an operation whose arguments are checked. */
interface Call {
  field: GraphQLField<unknown, unknown>;
  node: FieldNode;
}

/**
 * Checks the arguments of all lists of an operation before it runs: a page that is too large, of no items, or in
 * two directions at once is refused rather than cut down in silence.
 *
 * @param variables coerced to their types
 */
export function findPagingFaults(
  schema: GraphQLSchema,
  operation: Operation,
  variables: Record<string, unknown>,
  maxPageSize: number,
): GraphQLError[] {
  return listCalls(schema, operation).flatMap(({ field, node }) => {
    const [first, ...others] = faultsOf(argumentsOf(field, node, variables) ?? {}, maxPageSize);
    if (!first) return [];
    const originalError = new InvalidInput([first, ...others]);
    return [new GraphQLError(originalError.message, { nodes: node, originalError })];
  });
}

function listCalls(schema: GraphQLSchema, { operation, fragments }: Operation): Call[] {
  const known = callsOf.get(operation);
  if (known) return known;
  const calls: Call[] = [];
  const types = new TypeInfo(schema);
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...fragments.values()] };
  visit(
    document,
    visitWithTypeInfo(types, {
      Field(node) {
        const field = types.getFieldDef();
        if (field && (isPaged(field) || field.args.some(({ type }) => isList(type))))
          calls.push({ field, node });
      },
    }),
  );
  callsOf.set(operation, calls);
  return calls;
}

/** Documents are cached by Yoga, and those of the REST dialects are constants. */
const callsOf = new WeakMap<OperationDefinitionNode, Call[]>();

function isList(type: GraphQLInputType): boolean {
  return isListType(getNullableType(type));
}

function faultsOf(args: Record<string, unknown>, max: number): InputIssue[] {
  const { first, last, after, before, offset } = args;
  const issues: InputIssue[] = [];
  for (const [name, size] of Object.entries({ first, last })) {
    if (typeof size === 'number' && (size < 1 || size > max)) {
      issues.push({ path: [name], message: `"${name}" takes 1 to ${max}, and not ${size}.` });
    }
  }
  const forwards = first != null || after != null;
  const backwards = last != null || before != null;
  if (forwards && backwards) {
    issues.push({
      path: [last != null ? 'last' : 'before'],
      message:
        'Page forwards with "first" and "after", or backwards with "last" and "before", not both at once.',
    });
  }
  for (const [name, cursor] of Object.entries({ after, before })) {
    if (typeof cursor === 'string' && !isCursor(cursor)) {
      issues.push({ path: [name], message: `"${name}" takes a cursor as this API returned it.` });
    }
  }
  if (typeof offset === 'number' && (offset < 0 || after != null || backwards)) {
    issues.push({ path: ['offset'], message: '"offset" takes 0 or more, together with "first" only.' });
  }
  for (const [name, values] of Object.entries(args)) {
    if (Array.isArray(values) && values.length > max) {
      issues.push({
        path: [name],
        message: `"${name}" takes at most ${max} items, and not ${values.length}.`,
      });
    }
  }
  return issues;
}

function isCursor(text: string): boolean {
  const decoded = decode(text);
  const id = decoded.slice(CURSOR_PREFIX.length);
  // A cursor has one spelling, as a global id has.
  return decoded.startsWith(CURSOR_PREFIX) && isUuid(id) && cursorOf(id) === text;
}

function decode(cursor: string): string {
  return Buffer.from(cursor, 'base64').toString();
}

/** The cursor of a row. */
export function cursorOf(id: string): string {
  return Buffer.from(CURSOR_PREFIX + id).toString('base64');
}

/** As Pothos writes cursors: its name space, and the tag of a string. */
const CURSOR_PREFIX = 'GPC:S:';
