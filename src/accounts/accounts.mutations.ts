import { InvalidInput, NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf, requireViewer } from '../graphql/context.ts';
import { createApiToken, revokeApiToken } from './accounts.service.ts';
import { ApiToken, ScopeEnum } from './user.type.ts';

builder.relayMutationField(
  'createApiToken',
  {
    description: 'What the new token is for.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: 'Up to 128 characters.' }),
      scopes: t.field({
        type: [ScopeEnum],
        required: true,
        description: 'At least one; none that your own token lacks.',
      }),
      expiresAt: t.field({
        type: 'DateTime',
        description: 'In the future; none means that it never expires.',
      }),
    }),
  },
  {
    description: 'Creates a token for this API. It is shown in this answer and never again.',
    authScopes: { scope: 'tokens:write' },
    errors: { types: [InvalidInput] },
    resolve: (_root, { input }, context) =>
      createApiToken(context.runtime, actorOf(context), requireViewer(context).scopes, input),
  },
  {
    description: 'The new token.',
    outputFields: (t) => ({
      apiToken: t.field({
        type: ApiToken,
        description: 'What is kept of it.',
        resolve: ({ apiToken }) => apiToken,
      }),
      token: t.exposeString('token', { description: 'The token itself. Store it now.' }),
    }),
  },
);

builder.relayMutationField(
  'revokeApiToken',
  {
    description: 'Which token to revoke.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: ApiToken, description: 'The global id of one of your tokens.' }),
    }),
  },
  {
    description: 'Revokes a token at once and for good.',
    authScopes: { scope: 'tokens:write' },
    errors: { types: [NotFound] },
    resolve: async (_root, { input }, context) => {
      await revokeApiToken(context.runtime, actorOf(context), input.id.id, ['input', 'id']);
      return { id: input.id };
    },
  },
  {
    description: 'What was revoked.',
    outputFields: (t) => ({
      revokedTokenId: t.globalID({
        description: 'The id of the token that is gone.',
        resolve: ({ id }) => ({ id: id.id, type: ApiToken }),
      }),
    }),
  },
);
