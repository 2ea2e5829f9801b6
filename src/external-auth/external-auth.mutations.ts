import { NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf } from '../graphql/context.ts';
import { UserError } from '../graphql/errors.ts';
import { ExternalAuthLink } from './external-auth-link.type.ts';
import { RelinkRequired, refreshLink, unlink } from './links.service.ts';
import { ProviderFailure } from './providers/provider.ts';

builder.objectType(ProviderFailure, {
  name: 'ExternalAuthProviderFailure',
  description: 'The provider could not be asked, or refused. The message tells whether to try again.',
  interfaces: [UserError],
  fields: (t) => ({
    transient: t.exposeBoolean('transient', {
      description: 'Whether the same request may succeed later, without anybody changing anything.',
    }),
    oauthError: t.exposeString('oauthError', {
      nullable: true,
      description: "The provider's own OAuth error code, such as `invalid_grant`; null when it sent none.",
    }),
  }),
});

builder.objectType(RelinkRequired, {
  name: 'ExternalAuthRelinkRequired',
  description:
    'The token cannot be renewed any more, or never could be: its owner has to link the account again.',
  interfaces: [UserError],
});

builder.relayMutationField(
  'refreshExternalAuthLink',
  {
    description: "Which link's token to renew.",
    inputFields: (t) => ({
      providerId: t.string({ required: true, description: "The id of the link's provider." }),
    }),
  },
  {
    description:
      'Renews the token of a linked account now. There is rarely a need: an expired one is renewed wherever it is used.',
    authScopes: { scope: 'external_auth:write' },
    errors: { types: [NotFound, ProviderFailure, RelinkRequired] },
    resolve: async (_root, { input: { providerId } }, context) => ({
      link: await refreshLink(context.runtime, actorOf(context), providerId),
    }),
  },
  {
    description: 'The link with its new token.',
    outputFields: (t) => ({
      link: t.field({
        type: ExternalAuthLink,
        description: 'The link as it is now.',
        resolve: ({ link }) => link,
      }),
    }),
  },
);

builder.relayMutationField(
  'unlinkExternalAuth',
  {
    description: 'Which account to unlink.',
    inputFields: (t) => ({
      providerId: t.string({
        required: true,
        description: "The id of the link's provider, also of one that has left the configuration.",
      }),
    }),
  },
  {
    description:
      'Unlinks an account at once, and revokes its token at the provider where that is possible. What fails there is tried again for seven days.',
    authScopes: { scope: 'external_auth:write' },
    errors: { types: [NotFound] },
    resolve: async (_root, { input: { providerId } }, context) => ({
      providerId,
      ...(await unlink(context.runtime, actorOf(context), providerId)),
    }),
  },
  {
    description: 'What became of the token; the link itself is gone in any case.',
    outputFields: (t) => ({
      providerId: t.exposeString('providerId', { description: 'The provider that was unlinked.' }),
      tokenRevoked: t.exposeBoolean('tokenRevoked', {
        description: 'Whether the provider has confirmed that the token works no more.',
      }),
      tokenRevocationError: t.exposeString('tokenRevocationError', {
        nullable: true,
        description: 'Why it has not, in words for the owner; null when it has.',
      }),
    }),
  },
);
