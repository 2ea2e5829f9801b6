import { allScopes, isScope, scopeDescriptions } from '../auth/scopes.ts';
import { builder } from '../graphql/builder.ts';
import { requireViewer } from '../graphql/context.ts';
import { newestFirst } from '../graphql/paging.ts';

export const ScopeEnum = builder.enumType('Scope', {
  description: 'What a token may do.',
  values: Object.fromEntries(
    allScopes.map((scope) => [
      scope.replace(/\W/g, '_').toUpperCase(),
      { value: scope, description: `\`${scope}\`: ${scopeDescriptions[scope]}` },
    ]),
  ),
});

export const ApiToken = builder.prismaNode('ApiToken', {
  description: 'A token for this API. The token itself is shown once, by the mutation that creates it.',
  id: { field: 'id' },
  nullable: true,
  findUnique: (id, context) => ({ id, userId: requireViewer(context).user.id }),
  authScopes: { scope: 'tokens:write' },
  fields: (t) => ({
    uuid: t.expose('id', {
      type: 'UUID',
      description: 'The id without its type, as the command line shows it.',
    }),
    name: t.exposeString('name', { description: 'What its owner calls it.' }),
    prefix: t.exposeString('prefix', { description: 'The first characters, to tell it from others.' }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What it may do.',
      resolve: ({ scopes }) => scopes.filter(isScope),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Null when it never expires.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null when never.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
  }),
});

const profile = { scope: 'user:read' } as const;

const User = builder.prismaNode('User', {
  description: 'A person, or a machine, that owns credentials. You see only yourself.',
  id: { field: 'id' },
  nullable: true,
  // Nobody else has the viewer's name. Plain columns, unlike a second condition on the id, Prisma reads in one batch.
  findUnique: (id, context) => ({ id, username: requireViewer(context).user.username }),
  // Every token stands for its user. The profile needs a scope, and each list one of its own: a token for SSH keys
  // reads them without reading the profile.
  authScopes: { signedIn: true },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID', description: 'The id without its type, as the REST APIs show it.' }),
    username: t.exposeString('username', {
      description: 'Unique, and used to sign in elsewhere.',
      authScopes: profile,
    }),
    displayName: t.exposeString('displayName', {
      nullable: true,
      description: 'The name for people.',
      authScopes: profile,
    }),
    email: t.exposeString('email', {
      nullable: true,
      description: 'The address, when one is known.',
      authScopes: profile,
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When the account was created.',
      authScopes: profile,
    }),
    apiTokens: t.prismaConnection(
      {
        type: ApiToken,
        cursor: 'id',
        description: 'The tokens for this API, newest first.',
        // The scope of the type would leave cursors and the total open to all.
        authScopes: { scope: 'tokens:write' },
        resolve: (query, { id: userId }, _args, { runtime }) =>
          runtime.db.apiToken.findMany(newestFirst(query, { userId })),
        totalCount: ({ id: userId }, _args, { runtime }) => runtime.db.apiToken.count({ where: { userId } }),
      },
      { description: 'A page of tokens.' },
      { description: 'A token and its place in the list.' },
    ),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: User,
    description: 'You: the user whose token the request carries.',
    authScopes: { signedIn: true },
    resolve: (_root, _args, context) => requireViewer(context).user,
  }),
);
