import { InvalidInput, NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf } from '../graphql/context.ts';
import { UserError } from '../graphql/errors.ts';
import { OAuthApp } from './oauth-app.type.ts';
import { OAuthAppSecret } from './oauth-app-secret.type.ts';
import {
  createOAuthApp,
  deleteOAuthApp,
  LastOAuthAppSecret,
  revokeOAuthAppSecret,
  rotateOAuthAppSecret,
  updateOAuthApp,
} from './oauth-apps.service.ts';

builder.objectType(LastOAuthAppSecret, {
  name: 'LastOAuthAppSecret',
  description: 'The app has no other secret that works. Nothing was revoked: rotate the secret instead.',
  interfaces: [UserError],
});

builder.relayMutationField(
  'createOAuthApp',
  {
    description: 'What an owner decides about an app.',
    inputFields: (t) => ({
      name: t.string({ required: true, description: 'What users are shown, in up to 255 characters.' }),
      description: t.string({ description: 'What it is for, in up to 2000 characters; empty when absent.' }),
      homepageUrl: t.string({
        required: true,
        description:
          'Where users learn about the app: an `http` or `https` address in up to 2048 characters.',
      }),
      redirectUris: t.stringList({
        required: true,
        description:
          'From 1 to 20 addresses where users may be sent with the answer, each in up to 2048 characters of RFC 3986, without a fragment, a user name or wildcards: `https`, or `http` where it has to be; for a standalone app also a scheme of its own, such as `com.example.app:/callback`.',
      }),
      standalone: t.boolean({
        description:
          'Whether the app has no server part that could keep a secret, so that it is a public client; false when absent.',
      }),
    }),
  },
  {
    description: 'Registers an OAuth app, and makes its client id and secret.',
    authScopes: { scope: 'oauth_apps:write' },
    errors: { types: [InvalidInput] },
    resolve: (_root, { input }, context) => createOAuthApp(context.runtime, actorOf(context), input),
  },
  {
    description: 'The app as it was registered.',
    outputFields: (t) => ({
      oauthApp: t.field({ type: OAuthApp, description: 'The new app.', resolve: ({ oauthApp }) => oauthApp }),
      clientSecret: t.exposeString('clientSecret', {
        description: 'Its secret. Store it now: whether it can be read again is up to the administrator.',
      }),
    }),
  },
);

builder.relayMutationField(
  'updateOAuthApp',
  {
    description: 'Which app, and what changes. What is absent stays as it is.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: OAuthApp, description: 'The global id of one of your apps.' }),
      name: t.string({ description: 'Another name, in up to 255 characters.' }),
      description: t.string({ description: 'Another description, in up to 2000 characters. Null: empty.' }),
      homepageUrl: t.string({
        description: 'Another homepage: an `http` or `https` address in up to 2048 characters.',
      }),
      redirectUris: t.stringList({
        description: 'In place of all that there were; what `createOAuthApp` takes.',
      }),
      firstRedirectUri: t.string({
        description:
          'In place of the first of `redirectUris`, and instead of them; the others stay. For clients that know but one.',
      }),
      standalone: t.boolean({
        description:
          'Whether the app has no server part. It must, when a redirect URI is neither http nor https.',
      }),
    }),
  },
  {
    description: 'Changes an OAuth app. Its client id and its secrets stay as they are.',
    authScopes: { scope: 'oauth_apps:write' },
    errors: { types: [InvalidInput, NotFound] },
    resolve: async (_root, { input: { id, ...change } }, context) => ({
      oauthApp: await updateOAuthApp(context.runtime, actorOf(context), id.id, change),
    }),
  },
  {
    description: 'The app as it is now.',
    outputFields: (t) => ({
      oauthApp: t.field({
        type: OAuthApp,
        description: 'The changed app.',
        resolve: ({ oauthApp }) => oauthApp,
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteOAuthApp',
  {
    description: 'Which app to delete.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: OAuthApp, description: 'The global id of one of your apps.' }),
    }),
  },
  {
    description: 'Deletes an OAuth app with its secrets, at once and for good.',
    authScopes: { scope: 'oauth_apps:write' },
    errors: { types: [NotFound] },
    resolve: async (_root, { input: { id } }, context) => {
      await deleteOAuthApp(context.runtime, actorOf(context), id.id);
      return { id: id.id };
    },
  },
  {
    description: 'What was deleted.',
    outputFields: (t) => ({
      deletedOAuthAppId: t.globalID({
        description: 'The id of the app that is gone.',
        resolve: ({ id }) => ({ id, type: OAuthApp }),
      }),
    }),
  },
);

builder.relayMutationField(
  'rotateOAuthAppSecret',
  {
    description: 'Whose secret to rotate.',
    inputFields: (t) => ({
      id: t.globalID({ required: true, for: OAuthApp, description: 'The global id of one of your apps.' }),
    }),
  },
  {
    description:
      'Gives an app a new secret. The one before works on for 24 hours, unless the administrator set another time, so that the app can be told in peace. There are never more than two: an older one ends at once.',
    authScopes: { scope: 'oauth_apps:write' },
    errors: { types: [NotFound] },
    resolve: (_root, { input: { id } }, context) =>
      rotateOAuthAppSecret(context.runtime, actorOf(context), id.id),
  },
  {
    description: 'The new secret.',
    outputFields: (t) => ({
      oauthApp: t.field({
        type: OAuthApp,
        description: 'The app that it belongs to.',
        resolve: ({ oauthApp }) => oauthApp,
      }),
      secret: t.field({
        type: OAuthAppSecret,
        description: 'What is kept of it.',
        resolve: ({ secret }) => secret,
      }),
      clientSecret: t.exposeString('clientSecret', {
        description:
          'The secret itself. Store it now: whether it can be read again is up to the administrator.',
      }),
    }),
  },
);

builder.relayMutationField(
  'revokeOAuthAppSecret',
  {
    description: 'Which secret to revoke.',
    inputFields: (t) => ({
      id: t.globalID({
        required: true,
        for: OAuthAppSecret,
        description: "The global id of a secret of one of your apps, from the app's `secrets`.",
      }),
    }),
  },
  {
    description:
      'Revokes one of the two secrets of an app, at once and for good: the old one when nothing uses it any more, or the new one to take a rotation back. The other one then works without an end.',
    authScopes: { scope: 'oauth_apps:write' },
    errors: { types: [NotFound, LastOAuthAppSecret] },
    resolve: async (_root, { input: { id } }, context) => {
      await revokeOAuthAppSecret(context.runtime, actorOf(context), id.id);
      return { id: id.id };
    },
  },
  {
    description: 'What was revoked.',
    outputFields: (t) => ({
      revokedOAuthAppSecretId: t.globalID({
        description: 'The id of the secret that is gone.',
        resolve: ({ id }) => ({ id, type: OAuthAppSecret }),
      }),
    }),
  },
);
