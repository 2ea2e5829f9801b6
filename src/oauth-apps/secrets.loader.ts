import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import type { OAuthApp, OAuthAppSecret } from '../generated/prisma/client.ts';
import { type Context, requireViewer } from '../graphql/context.ts';
import { isLive } from './oauth-apps.service.ts';

/** But for the hash, which no field shows. */
export type KeptSecret = Omit<OAuthAppSecret, 'secretHash'>;

/** An app, which may have been read with its secrets. */
type App = OAuthApp & { secrets?: KeptSecret[] };

/** Not cached: a mutation may stand between two reads of one operation. */
const secretsByApp = createContextCache((context: Context) => {
  const { user } = requireViewer(context);
  return new DataLoader(
    async (appIds: readonly string[]) => {
      const secrets: KeptSecret[] = await context.runtime.db.oAuthAppSecret.findMany({
        where: { appId: { in: [...appIds] }, app: { userId: user.id } },
        omit: { secretHash: true },
        orderBy: { expiresAt: { sort: 'desc', nulls: 'first' } },
      });
      return appIds.map((id) => secrets.filter(({ appId }) => appId === id));
    },
    { cache: false },
  );
});

/**
 * What is kept of an app's secrets, the current one first; a rotation leaves at most two. Those that were read with the
 * app are there at once, of other apps they are read together. None when the app was deleted meanwhile.
 */
export function secretsOf(app: App, context: Context): KeptSecret[] | Promise<KeptSecret[]> {
  return app.secrets ?? secretsByApp(context).load(app.id);
}

/** One secret that works. An owner is not in the row, so Prisma would not batch reads of single ones. */
export const secretById = createContextCache((context: Context) => {
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
