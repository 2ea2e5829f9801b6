import { builder } from '../graphql/builder.ts';
import { requireViewer } from '../graphql/context.ts';
import { readFrom } from '../graphql/read-from.ts';
import type { InSql } from '../graphql/sql-json.ts';
import { OAuthAppSecret } from './oauth-app-secret.type.ts';
import { readClientSecret } from './oauth-apps.service.ts';
import { secretsOf } from './secrets.loader.ts';

export const OAuthApp = builder.prismaNode('OAuthApp', {
  description: 'An OAuth client that a user registered.',
  id: { field: 'id' },
  nullable: true,
  findUnique: (id, context) => ({ id, userId: requireViewer(context).user.id }),
  authScopes: { scope: 'oauth_apps:read' },
  fields: (t) => ({
    uuid: t.expose('id', {
      type: 'UUID',
      description: 'The id without its type, as the REST APIs show it.',
    }),
    name: t.exposeString('name', { description: 'What its owner calls it, and what users are shown.' }),
    description: t.exposeString('description', { description: 'What it is for; may be empty.' }),
    clientId: t.expose('clientId', {
      type: 'UUID',
      description: 'How the app names itself. Public, and the same for ever.',
    }),
    clientSecret: t.string({
      nullable: true,
      description:
        'The current secret. Null when the administrator has turned such reads off: then only the mutation that makes a secret shows it.',
      resolve: (app, _args, context) =>
        readFrom(secretsOf(app, context), ([current]) =>
          current ? readClientSecret(context.runtime, current) : null,
        ),
    }),
    homepageUrl: t.exposeString('homepageUrl', { description: 'Where users learn about the app.' }),
    redirectUris: t.exposeStringList('redirectUris', {
      description: 'Where users may be sent with the answer, compared character by character.',
    }),
    standalone: t.exposeBoolean('standalone', {
      description:
        'Whether it has no server part that could keep a secret: a public client, such as an app on a phone or in a browser.',
    }),
    secrets: t.field({
      type: [OAuthAppSecret],
      description: 'What is kept of the secrets that work right now, the current one first: one or two.',
      extensions: {
        sqlRows: {
          name: 'secret',
          from: (app) => `FROM oauth_app_secrets AS secret
            WHERE secret.app_id = ${app}.id AND (secret.expires_at IS NULL OR secret.expires_at > clock.now)
            ORDER BY secret.expires_at DESC NULLS FIRST`,
        },
      } satisfies InSql,
      resolve: (app, _args, context) => {
        const now = context.runtime.clock();
        return readFrom(secretsOf(app, context), (secrets) =>
          secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now),
        );
      },
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When its owner last changed it. Rotating a secret does not count.',
    }),
  }),
});
