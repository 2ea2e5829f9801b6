import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { type GraphQLSchema, isObjectType } from 'graphql';
import { grants, type Scope } from '../auth/scopes.ts';
import { Forbidden, Unauthenticated } from '../errors.ts';
import type PrismaTypes from '../generated/pothos.ts';
import { getDatamodel } from '../generated/pothos.ts';
import type { Context } from './context.ts';
import { decodeGlobalId, encodeGlobalId } from './global-id.ts';
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
  };
  Connection: { totalCount: number | (() => number | Promise<number>) };
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
}

/** The schema builder. It knows no domain: each registers its own types on it. */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, RelayPlugin, ScopeAuthPlugin, PrismaPlugin, DataloaderPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  errors: {
    // The documented setting, [Error], would show Prisma's messages with file paths to clients.
    defaultTypes: [],
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  relay: {
    clientMutationId: 'omit',
    encodeGlobalID: encodeGlobalId,
    decodeGlobalID: decodeGlobalId,
    // The connection has counted the page's items already.
    edgesFieldOptions: { nullable: false, complexity: { field: 1, multiplier: 1 } },
    nodeFieldOptions: { nullable: false },
    cursorFieldOptions: { description: 'Pass it as `after` to go on behind this edge.' },
    nodeQueryOptions: {
      authScopes: { signedIn: true },
      resolve: (_root, { id }, _context, { schema }, load) => (isNode(schema, id.typename) ? load(id) : null),
      description: 'Any object by its global id. Null when there is none, or it belongs to somebody else.',
    },
    nodesQueryOptions: {
      authScopes: { signedIn: true },
      complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
      resolve: async (_root, { ids }, _context, { schema }, load) => {
        const loaded = await load(ids.filter(({ typename }) => isNode(schema, typename)));
        const rows = loaded.values();
        return ids.map(({ typename }) => (isNode(schema, typename) ? rows.next().value : null));
      },
      description: 'Several objects by their global ids, in the order asked for.',
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
    unauthorizedError: (_parent, { viewer }, _info, result) =>
      viewer === null ? new Unauthenticated() : new Forbidden(`Your token lacks a scope: ${result.message}`),
  },
  prisma: {
    client: ({ runtime }) => runtime.db,
    dmmf: getDatamodel(),
    filterConnectionTotalCount: true,
    defaultConnectionSize: DEFAULT_PAGE_SIZE,
    // The real limit is the configuration's: limits.ts refuses what is above it, and nothing is cut short.
    maxConnectionSize: Number.MAX_SAFE_INTEGER,
  },
  // What limits.ts adds up: a field weighs 1, and what is below a list as often as the list has items.
  complexity: {
    fieldComplexity: ({ first, last }, _context, field) =>
      isPaged(field) ? { field: 1, multiplier: Number(first ?? last ?? DEFAULT_PAGE_SIZE) } : { field: 1 },
  },
});

/** An id of any other type is one that nothing has; the relay plugin would take it for a bug. */
function isNode(schema: GraphQLSchema, typename: string): boolean {
  const type = schema.getType(typename);
  return isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');
}

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation answers its payload or one of its declared errors.',
});
