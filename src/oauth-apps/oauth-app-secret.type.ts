import { builder } from '../graphql/builder.ts';
import { type KeptSecret, secretById } from './secrets.loader.ts';

export const OAuthAppSecret = builder.objectRef<KeptSecret>('OAuthAppSecret');

builder.node(OAuthAppSecret, {
  description: 'What is kept of a client secret. An app has one, and two after a rotation.',
  id: { resolve: ({ id }) => id },
  authScopes: { scope: 'oauth_apps:read' },
  loadWithoutCache: (id, context) => secretById(context).load(id),
  fields: (t) => ({
    prefix: t.exposeString('prefix', { description: 'The first characters, to tell it from the other one.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the app last proved itself with it; null when never.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stops working, because a newer one took its place; null for the current one.',
    }),
  }),
});
