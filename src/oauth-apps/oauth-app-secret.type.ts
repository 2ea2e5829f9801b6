import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import type { OAuthAppSecret as OAuthAppSecretRow } from '../generated/prisma/client.ts';
import { builder } from '../graphql/builder.ts';
import { type Context, requireViewer } from '../graphql/context.ts';
import { isLive } from './oauth-apps.service.ts';

/** But for the hash, which no field shows. */
export type KeptSecret = Omit<OAuthAppSecretRow, 'secretHash'>;

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

/** An owner is not in the row, so Prisma would not batch reads of single ones. */
const secretById = createContextCache((context: Context) => {
  const { db, clock } = context.runtime;
  const { user } = requireViewer(context);
  return new DataLoader(
    async (ids: readonly string[]) => {
      const secrets: KeptSecret[] = await db.oAuthAppSecret.findMany({
        omit: { secretHash: true },
        where: { id: { in: [...ids] }, app: { userId: user.id }, ...isLive(clock()) },
      });
      const byId = new Map(secrets.map((secret) => [secret.id, secret]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    { cache: false },
  );
});
