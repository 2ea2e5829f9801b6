import { InvalidInput } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf } from '../graphql/context.ts';
import { type Credentials, type HandOut, handOutToken } from './hand-out.ts';

const ExternalAuthCredentials = builder.objectRef<Credentials>('ExternalAuthCredentials').implement({
  description: "A linked account's access token, and how git sends it over HTTPS.",
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'Acts as the account at the provider.' }),
    extra: t.field({
      type: 'JSONObject',
      description: "The fields of the provider's token response that its configuration names.",
      resolve: ({ extra }) => extra,
    }),
    username: t.exposeString('username', { description: 'What git sends as the user name.' }),
    password: t.exposeString('password', { description: 'What git sends as the password; may be empty.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the token ends. Null when the provider does not tell.',
    }),
  }),
});

const ExternalAuthToken = builder.objectRef<HandOut>('ExternalAuthToken').implement({
  description: 'What a machine gets to act as a linked account.',
  fields: (t) => ({
    providerId: t.string({
      description: 'The provider that was named, or that serves the URL.',
      resolve: ({ settings }) => settings.id,
    }),
    type: t.string({ description: "The provider's type.", resolve: ({ settings }) => settings.type }),
    linkUrl: t.field({
      type: 'URL',
      description: 'Where a person links the account, or links it again.',
      resolve: ({ linkUrl }) => linkUrl,
    }),
    credentials: t.field({
      type: ExternalAuthCredentials,
      nullable: true,
      description: 'Null when the account is not linked, or its link no longer works.',
      resolve: ({ credentials }) => credentials,
    }),
  }),
});

builder.queryField('externalAuthToken', (t) =>
  t.field({
    type: ExternalAuthToken,
    nullable: true,
    description:
      "A linked account's access token, renewed when it has expired. Name the provider by `id` or by `match`, not by both. Null when no provider has the id or serves the URL. Each token that is handed out is audited.",
    authScopes: { scope: 'external_auth:token' },
    args: {
      match: t.arg.string({
        description:
          'A git URL, such as `https://github.com/acme/site.git`. Of several providers that serve it, the most specific one is taken.',
      }),
      id: t.arg.string({ description: "The provider's id." }),
    },
    resolve: (_root, { match, id }, context) => {
      if ((match == null) === (id == null)) {
        const message =
          match == null
            ? 'Name the provider: by match or by id.'
            : 'Name the provider by match or by id, not both.';
        throw new InvalidInput([
          { path: ['match'], message },
          { path: ['id'], message },
        ]);
      }
      return handOutToken(context.runtime, actorOf(context), match == null ? { id: id ?? '' } : { match });
    },
  }),
);
