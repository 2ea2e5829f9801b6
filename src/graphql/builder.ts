import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin, { resolveNodes } from '@pothos/plugin-relay';
import ScopeAuthPlugin, { type AuthFailure } from '@pothos/plugin-scope-auth';
import { type GraphQLResolveInfo, type GraphQLSchema, isObjectType } from 'graphql';
import { grants, type Scope } from '../auth/scopes.ts';
import { Forbidden, Unauthenticated } from '../errors.ts';
import type PrismaTypes from '../generated/pothos.ts';
import { getDatamodel } from '../generated/pothos.ts';
import type { Context } from './context.ts';
import { decodeGlobalId, encodeGlobalId, isNodeType } from './global-id.ts';
import { DEFAULT_PAGE_SIZE, isPaged } from './paging.ts';

export interface SchemaTypes {
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultAuthStrategy: 'all';
  AuthScopes: {
    /** Any viewer at all. */
    signedIn: boolean;
    /** A viewer whose token carries the scope. */
    scope: Scope;
  };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    UUID: { Input: string; Output: string };
    URL: { Input: string; Output: string };
    JSONObject: { Input: never; Output: Record<string, unknown> };
  };
  Connection: { totalCount: number | (() => number | Promise<number>) };
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
}

const PAGE_SIZES = `${DEFAULT_PAGE_SIZE} when absent, up to 200 unless the administrator set another limit.`;

/** The schema builder. It knows no domain: each registers its own types on it. */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, RelayPlugin, ScopeAuthPlugin, PrismaPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  errors: {
    // The documented setting, [Error], would show Prisma's messages with file paths to clients.
    defaultTypes: [],
    directResult: true,
    defaultUnionOptions: {
      description: 'The payload, or one of the errors that the mutation declares.',
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  relay: {
    clientMutationId: 'omit',
    encodeGlobalID: encodeGlobalId,
    decodeGlobalID: decodeGlobalId,
    nodeTypeOptions: { description: 'An object with a global id, which `node` and `nodes` read again.' },
    idFieldOptions: { description: 'The global id: it names the object among all objects of all types.' },
    mutationInputArgOptions: { description: 'Everything that the mutation is told.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its list.' },
    pageInfoFieldOptions: { description: 'Where the page lies in its list, and how to go on.' },
    hasNextPageFieldOptions: { description: 'Whether there are edges behind this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are edges in front of this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first edge; null on an empty page.' },
    endCursorFieldOptions: {
      description: 'The cursor of the last edge: pass it as `after` for the next page.',
    },
    firstArgOptions: {
      description: `How many to read from the start, or from behind \`after\`. ${PAGE_SIZES}`,
    },
    lastArgOptions: {
      description: `How many to read from the end, or from in front of \`before\`. ${PAGE_SIZES}`,
    },
    afterArgOptions: { description: 'Read on behind the edge with this cursor.' },
    beforeArgOptions: { description: 'Read backwards in front of the edge with this cursor.' },
    edgesFieldOptions: {
      nullable: false,
      description: "The page's items with their cursors.",
      // The connection has counted the page's items already.
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: { nullable: false, description: 'The item itself.' },
    cursorFieldOptions: { description: 'Pass it as `after` to go on behind this edge.' },
    nodeQueryOptions: {
      authScopes: { signedIn: true },
      resolve: (_root, { id }, _context, { schema }, load) => (isNode(schema, id.typename) ? load(id) : null),
      description: 'Any object by its global id. Null when there is none, or it belongs to somebody else.',
      args: { id: { description: 'The global id, as any `id` field shows it.' } },
    },
    nodesQueryOptions: {
      authScopes: { signedIn: true },
      complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
      resolve: (_root, { ids }, context, info) => loadNodes(ids, context, info),
      description:
        'Several objects by their global ids, in the order asked for. Null in the place of one that does not exist, or belongs to somebody else.',
      args: {
        ids: { description: 'The global ids, as any `id` field shows them. As many as a page may hold.' },
      },
    },
  },
  scopeAuth: {
    // The default lets any one scope suffice.
    defaultStrategy: 'all',
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({
      signedIn: viewer !== null,
      scope: (scope) => viewer !== null && grants(viewer.scopes, scope),
    }),
    unauthorizedError: (_parent, { viewer }, _info, { failure }) =>
      viewer === null
        ? new Unauthenticated()
        : new Forbidden(`Your token lacks the scope ${lackingScopes(failure).join(' and ')}.`),
  },
  prisma: {
    client: ({ runtime }) => runtime.db,
    dmmf: getDatamodel(),
    filterConnectionTotalCount: true,
    defaultConnectionSize: DEFAULT_PAGE_SIZE,
    // The real limit is the configuration's: limits.ts refuses what is above it, and nothing is cut short.
    maxConnectionSize: Number.MAX_SAFE_INTEGER,
  },
  // What cost.ts adds up.
  complexity: {
    disabled: true,
    fieldComplexity: ({ first, last }, _context, field) =>
      isPaged(field) ? { field: 1, multiplier: Number(first ?? last ?? DEFAULT_PAGE_SIZE) } : { field: 1 },
  },
});

function lackingScopes(failure: AuthFailure): string[] {
  if ('failures' in failure) return failure.failures.flatMap(lackingScopes);
  return 'parameter' in failure ? [String(failure.parameter)] : [];
}

/** An id of any other type is one that nothing has; the relay plugin would take it for a bug. */
function isNode(schema: GraphQLSchema, typename: string): boolean {
  const type = schema.getType(typename);
  return isObjectType(type) && isNodeType(type);
}

/** Not with the function that `nodes` is passed for it: that one reads all ids, whichever it is given. */
async function loadNodes(
  ids: { typename: string; id: string }[],
  context: Context,
  info: GraphQLResolveInfo,
): Promise<unknown[]> {
  const known = ids.filter(({ typename }) => isNode(info.schema, typename));
  const rows = (await resolveNodes(builder, context, info, known)).values();
  return ids.map((id) => (known.includes(id) ? rows.next().value : null));
}

builder.queryType({ description: 'Everything that can be read.' });
builder.subscriptionType({
  description: 'What is told while a connection stays open (server-sent events).',
});
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation answers its payload or one of its declared errors.',
});
