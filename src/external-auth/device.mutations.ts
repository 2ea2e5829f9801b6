import { InvalidInput, NotFound } from '../errors.ts';
import { builder } from '../graphql/builder.ts';
import { actorOf } from '../graphql/context.ts';
import { UserError } from '../graphql/errors.ts';
import { DeviceFlowUnsupported, DeviceRefused, exchangeDevice, startDevice } from './device.service.ts';
import { ExternalAuthLink } from './external-auth-link.type.ts';
import { type DeviceGrant, ProviderFailure } from './providers/provider.ts';

const ExternalAuthDevice = builder.objectRef<DeviceGrant>('ExternalAuthDevice').implement({
  description:
    'A sign-in with a code (RFC 8628): show `userCode` and `verificationUri`, then ask `exchangeExternalAuthDevice` every `interval` seconds.',
  fields: (t) => ({
    deviceCode: t.exposeString('deviceCode', {
      description:
        'Names this sign-in in `exchangeExternalAuthDevice`. It works for you only; do not show it.',
    }),
    userCode: t.exposeString('userCode', { description: 'What the person types in at the provider.' }),
    verificationUri: t.exposeString('verificationUri', {
      description: 'Where the person types it in, in any browser.',
    }),
    verificationUriComplete: t.exposeString('verificationUriComplete', {
      nullable: true,
      description: 'The same page with the code filled in, for a link or a QR code; null when there is none.',
    }),
    expiresIn: t.exposeInt('expiresIn', { description: 'How long the code works, in seconds from now.' }),
    interval: t.exposeInt('interval', {
      description: 'How long to wait between two exchanges, in seconds. 5 more after each `slow_down`.',
    }),
  }),
});

builder.objectType(DeviceFlowUnsupported, {
  name: 'ExternalAuthDeviceUnsupported',
  description: 'The provider takes no sign-in with a code: use `startExternalAuth`.',
  interfaces: [UserError],
});

builder.objectType(DeviceRefused, {
  name: 'ExternalAuthDeviceRefused',
  description: 'There is no token for the device code: not yet, or never.',
  interfaces: [UserError],
  fields: (t) => ({
    oauthError: t.exposeString('oauthError', {
      description:
        'The bare code of RFC 8628. Go on after `authorization_pending`, and after `slow_down` with 5 seconds more between two exchanges. All others are final: `access_denied`, `expired_token` (expired, used, unknown), or a code of the provider.',
    }),
  }),
});

builder.relayMutationField(
  'startExternalAuthDevice',
  {
    description: 'Where to link an account.',
    inputFields: (t) => ({
      providerId: t.string({ required: true, description: 'A provider with `supportsDeviceFlow`.' }),
    }),
  },
  {
    description: 'Begins to link an account by a code that you type in at the provider, as a terminal does.',
    authScopes: { scope: 'external_auth:write' },
    errors: { types: [NotFound, DeviceFlowUnsupported, ProviderFailure] },
    resolve: async (_root, { input }, context) => ({
      device: await startDevice(context.runtime, actorOf(context), input.providerId),
    }),
  },
  {
    description: 'The code, and where to type it in.',
    outputFields: (t) => ({
      device: t.field({
        type: ExternalAuthDevice,
        description: 'The sign-in that waits now.',
        resolve: ({ device }) => device,
      }),
    }),
  },
);

builder.relayMutationField(
  'exchangeExternalAuthDevice',
  {
    description: 'Which sign-in with a code to complete.',
    inputFields: (t) => ({
      providerId: t.string({ required: true, description: 'The provider that it was started with.' }),
      deviceCode: t.string({
        description:
          'The `deviceCode` of `startExternalAuthDevice`. When absent, the one of yours that was started last and still waits.',
      }),
    }),
  },
  {
    description:
      'Links the account once you have typed in the code. Until then the answer is `ExternalAuthDeviceRefused` with `authorization_pending`.',
    authScopes: { scope: 'external_auth:write' },
    errors: { types: [InvalidInput, NotFound, DeviceFlowUnsupported, DeviceRefused, ProviderFailure] },
    resolve: async (_root, { input: { providerId, deviceCode } }, context) => ({
      link: await exchangeDevice(context.runtime, actorOf(context), providerId, deviceCode),
    }),
  },
  {
    description: 'What the code has become.',
    outputFields: (t) => ({
      link: t.field({
        type: ExternalAuthLink,
        description: 'The account as it is linked now.',
        resolve: ({ link }) => link,
      }),
    }),
  },
);
