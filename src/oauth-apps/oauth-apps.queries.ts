import { createOwnedRows } from '../db/owned-rows.ts';
import type { OAuthApp as OAuthAppRow } from '../generated/prisma/client.ts';
import { builder } from '../graphql/builder.ts';
import { connectionInJson } from '../graphql/json-pages.ts';
import { newestFirst, pageOf } from '../graphql/paging.ts';
import { OAuthApp } from './oauth-app.type.ts';
import type { KeptSecret } from './secrets.loader.ts';

const ownOAuthApps = createOwnedRows<OAuthAppRow & { secrets: KeptSecret[] }>({
  model: 'OAuthApp',
  // As the loader reads them.
  nested: {
    field: 'secrets',
    model: 'OAuthAppSecret',
    sql: `(SELECT coalesce(json_agg(kept ORDER BY kept.expires_at DESC NULLS FIRST), '[]') FROM (
             SELECT id, app_id, secret, prefix, last_used_at, expires_at, created_at
             FROM oauth_app_secrets WHERE app_id = owned.id
           ) AS kept)`,
  },
});

builder.prismaObjectFields('User', (t) => ({
  oauthApps: t.prismaConnection(
    {
      type: OAuthApp,
      cursor: 'id',
      description: 'The OAuth apps, newest first.',
      // The scope of the type would leave cursors and the total open to all.
      authScopes: { scope: 'oauth_apps:read' },
      args: {
        offset: t.arg.int({
          description:
            'How many to skip from the start, for clients that count pages; together with `first` only. `hasPreviousPage` does not look at it. Cursors are quicker, and skip nothing when an app goes meanwhile.',
        }),
      },
      extensions: { ...connectionInJson(ownOAuthApps) },
      resolve: (query, { id: userId }, args, { runtime }) => {
        const page = pageOf(args, userId);
        // With an offset there is a page: it goes together with \`first\` only.
        return page
          ? ownOAuthApps(runtime).page(page)
          : runtime.db.oAuthApp.findMany(newestFirst(query, { userId }));
      },
      totalCount: ({ id: userId }, _args, { runtime }) => ownOAuthApps(runtime).total(userId),
    },
    { name: 'UserOAuthAppsConnection', description: 'A page of OAuth apps.' },
    { name: 'UserOAuthAppsConnectionEdge', description: 'An OAuth app and its place in the list.' },
  ),
  oauthApp: t.prismaField({
    type: OAuthApp,
    nullable: true,
    description: 'The OAuth app with an id. Null when the account has none such.',
    authScopes: { scope: 'oauth_apps:read' },
    args: {
      id: t.arg({ type: 'UUID', required: true, description: 'The `uuid` of an app.' }),
    },
    resolve: (_query, { id: userId }, { id }, { runtime }) => ownOAuthApps(runtime).row({ userId, id }),
  }),
}));
