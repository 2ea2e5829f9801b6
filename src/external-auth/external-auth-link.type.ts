import type { GraphQLResolveInfo } from 'graphql';
import type { ExternalAuthLink as ExternalAuthLinkRow } from '../generated/prisma/client.ts';
import { builder } from '../graphql/builder.ts';
import { type Context, requireViewer } from '../graphql/context.ts';
import { readFrom } from '../graphql/read-from.ts';
import type { InSql } from '../graphql/sql-json.ts';
import { ExternalAuthProvider } from './external-auth-provider.type.ts';
import { currentLink, linkAccount, linkInstallations, linkState, showsStoredLinks } from './links.loader.ts';
import type { ExternalAccount as Account, Installation } from './providers/provider.ts';

const ExternalAuthValidation = builder.enumType('ExternalAuthValidation', {
  description: 'What is known of a token.',
  values: {
    VALID: { description: 'The provider takes it.' },
    INVALID: {
      description:
        'It has expired and cannot be renewed, or the provider refuses it: link the account again.',
    },
    RATE_LIMITED: { description: 'The provider limits how often it may be asked. Taken for valid.' },
    NOT_VALIDATED: {
      description: 'The provider has no way to ask. Taken for valid until it expires.',
    },
    UNKNOWN: { description: 'The provider could not be asked just now: see `validateError`.' },
  } as const,
});

const ExternalAccount = builder.objectRef<Account>('ExternalAccount').implement({
  description: 'An account at a provider, as the provider describes it.',
  fields: (t) => ({
    id: t.exposeString('id', { description: "The provider's own id: a number in digits, or other text." }),
    login: t.exposeString('login', { description: 'The name that the account signs in with.' }),
    name: t.exposeString('name', { description: 'The name for people; may be empty.' }),
    avatarUrl: t.exposeString('avatarUrl', { description: 'A picture; empty when there is none.' }),
    profileUrl: t.exposeString('profileUrl', { description: 'A page for people; empty when there is none.' }),
  }),
});

const ExternalAuthInstallation = builder.objectRef<Installation>('ExternalAuthInstallation').implement({
  description: "An installation of the provider's app on an account, as GitHub has them.",
  fields: (t) => ({
    id: t.exposeInt('id', { description: "The provider's own number." }),
    account: t.field({
      type: ExternalAccount,
      description: 'Whose repositories the app reaches.',
      resolve: ({ account }) => account,
    }),
    configureUrl: t.exposeString('configureUrl', {
      description: 'Where a person changes or removes the installation; may be empty.',
    }),
  }),
});

/** A field of the link as it is after its provider was asked, when the operation asks any. */
function afterwards<Value>(read: (link: ExternalAuthLinkRow) => Value, sql: (link: string) => string) {
  return {
    extensions: { sql, sqlWhen: showsStoredLinks } satisfies InSql,
    resolve: (link: ExternalAuthLinkRow, _args: object, context: Context, info: GraphQLResolveInfo) =>
      readFrom(currentLink(context, link, info), read),
  };
}

export const ExternalAuthLink = builder.prismaNode('ExternalAuthLink', {
  description:
    "Your account at a provider. `authenticated`, `validation`, `validateError`, `account` and `installations` ask the provider, after an expired token was renewed; an operation with any of them shows all of a link's fields as they are afterwards.",
  id: { field: 'id' },
  nullable: true,
  findUnique: (id, context) => ({ id, userId: requireViewer(context).user.id }),
  authScopes: { scope: 'external_auth:read' },
  fields: (t) => ({
    uuid: t.expose('id', { type: 'UUID', description: 'The id without its type.' }),
    providerId: t.exposeString('providerId', { description: 'The id of its provider.' }),
    provider: t.field({
      type: ExternalAuthProvider,
      nullable: true,
      description:
        'The provider; null when it has left the configuration. Such a link can still be unlinked.',
      resolve: ({ providerId }, _args, { runtime }) => runtime.providers.find(providerId),
    }),
    authenticated: t.boolean({
      description:
        'Whether the token works as far as anybody knows: `validation` is `VALID`, `RATE_LIMITED` or `NOT_VALIDATED`.',
      resolve: async (link, _args, context) => (await linkState(context, link)).authenticated,
    }),
    validation: t.field({
      type: ExternalAuthValidation,
      description: 'What is known of the token.',
      resolve: async (link, _args, context) => (await linkState(context, link)).validation,
    }),
    validateError: t.string({
      nullable: true,
      description: 'Why the token does not work, or why that is not known, in words for its owner; or null.',
      resolve: async (link, _args, context) => (await linkState(context, link)).validateError,
    }),
    hasRefreshToken: t.boolean({
      description: 'Whether the token can be renewed when it has expired.',
      ...afterwards(
        ({ refreshToken }) => refreshToken !== null,
        (link) => `(${link}.refresh_token IS NOT NULL)`,
      ),
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the token expires; null when it never does.',
      ...afterwards(
        ({ expiresAt }) => expiresAt,
        (link) => `${link}.expires_at`,
      ),
    }),
    refreshFailureReason: t.string({
      nullable: true,
      description:
        'Why the provider refused to renew the token for good; null when it did not. Linking the account again clears it.',
      ...afterwards(
        ({ refreshFailureReason }) => refreshFailureReason,
        (link) => `${link}.refresh_failure_reason`,
      ),
    }),
    account: t.field({
      type: ExternalAccount,
      nullable: true,
      description:
        'Who the token stands for. Null when the token does not work, or the provider does not tell; when the provider fails, `errors` says so.',
      resolve: (link, _args, context) => linkAccount(context, link),
    }),
    installations: t.field({
      type: [ExternalAuthInstallation],
      description:
        "Where the provider's app is installed, as far as the account may see. Empty when the token does not work, or the provider knows no installations or fails to tell.",
      resolve: (link, _args, context) => linkInstallations(context, link),
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When the account was first linked.',
    }),
    updatedAt: t.field({
      type: 'DateTime',
      description: 'When the account was linked again, or its token was last renewed or given up.',
      ...afterwards(
        ({ updatedAt }) => updatedAt,
        (link) => `${link}.updated_at`,
      ),
    }),
  }),
});
