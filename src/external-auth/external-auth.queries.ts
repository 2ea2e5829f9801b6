import { builder } from '../graphql/builder.ts';
import { listInJson } from '../graphql/json-pages.ts';
import { wholeListOf } from '../graphql/paging.ts';
import { ExternalAuthLink } from './external-auth-link.type.ts';
import { ExternalAuthProvider } from './external-auth-provider.type.ts';
import { ownLinks, viewerLink } from './links.loader.ts';

builder.queryFields((t) => ({
  externalAuthProviders: t.field({
    type: [ExternalAuthProvider],
    description: 'The providers that accounts can be linked with, in the order of the configuration.',
    authScopes: { scope: 'external_auth:read' },
    resolve: (_root, _args, { runtime }) => [...runtime.providers.all],
  }),
  externalAuthProvider: t.field({
    type: ExternalAuthProvider,
    nullable: true,
    description: 'A provider by its id. Null when none has the id.',
    authScopes: { scope: 'external_auth:read' },
    args: { id: t.arg.string({ required: true, description: 'Such as `github`.' }) },
    resolve: (_root, { id }, { runtime }) => runtime.providers.find(id),
  }),
}));

builder.objectField(ExternalAuthProvider, 'link', (t) =>
  t.field({
    type: ExternalAuthLink,
    nullable: true,
    description: 'Your account there; null when you have linked none.',
    resolve: ({ settings }, _args, context) => viewerLink(context, settings.id),
  }),
);

builder.prismaObjectFields('User', (t) => ({
  externalAuthLinks: t.field({
    type: [ExternalAuthLink],
    description:
      'The linked accounts, one for each provider at most, those first that were linked or renewed last.',
    authScopes: { scope: 'external_auth:read' },
    extensions: { ...listInJson(ownLinks) },
    resolve: ({ id }, _args, { runtime }) => ownLinks(runtime).page(wholeListOf(id)),
  }),
  externalAuthLink: t.field({
    type: ExternalAuthLink,
    nullable: true,
    description: 'The linked account at a provider; null when none is linked there.',
    authScopes: { scope: 'external_auth:read' },
    args: { providerId: t.arg.string({ required: true, description: 'Such as `github`.' }) },
    resolve: (_user, { providerId }, context) => viewerLink(context, providerId),
  }),
}));
