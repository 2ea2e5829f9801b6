import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { grants, type Scope } from '../auth/scopes.ts';
import { Forbidden, Unauthenticated } from '../errors.ts';
import type PrismaTypes from '../generated/pothos.ts';
import { getDatamodel } from '../generated/pothos.ts';
import type { Context } from './context.ts';
import { decodeGlobalId, encodeGlobalId } from './global-id.ts';

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
    edgesFieldOptions: { nullable: false },
    nodeFieldOptions: { nullable: false },
    cursorFieldOptions: { description: 'Pass it as `after` to go on behind this edge.' },
    nodeQueryOptions: {
      authScopes: { signedIn: true },
      description: 'Any object by its global id. Null when there is none, or it belongs to somebody else.',
    },
    nodesQueryOptions: {
      authScopes: { signedIn: true },
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
    defaultConnectionSize: 20,
  },
  complexity: { defaultComplexity: 1, defaultListMultiplier: 10 },
});

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation answers its payload or one of its declared errors.',
});
