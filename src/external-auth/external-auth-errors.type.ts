import { DomainError } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { UserError } from '../graphql/errors.ts';
import { ProviderFailure } from './providers/provider.ts';

/** The link's tokens are used up: only its owner can help, by linking the account again. */
export class RelinkRequired extends DomainError {
  constructor(reason: string) {
    super('EXTERNAL_AUTH_RELINK_REQUIRED', 409, `${reason} Link the account again.`, {
      path: ['input', 'providerId'],
    });
  }
}

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
