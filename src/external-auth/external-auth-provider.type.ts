import { builder } from '../graphql/builder.ts';
import { capabilitiesOf } from './provider-registry.ts';
import type { Provider } from './providers/provider.ts';

export const ExternalAuthProvider = builder.objectRef<Provider>('ExternalAuthProvider').implement({
  description: 'A provider that accounts can be linked with, as the administrator configured it.',
  authScopes: { scope: 'external_auth:read' },
  fields: (t) => ({
    id: t.string({
      description: 'Names the provider wherever a `providerId` is asked for. No global id.',
      resolve: ({ settings }) => settings.id,
    }),
    type: t.string({
      description: 'The kind of provider, such as `github` or `gitlab`; any other text is generic OAuth 2.',
      resolve: ({ settings }) => settings.type,
    }),
    displayName: t.string({
      description: 'What to call it before people.',
      resolve: ({ settings }) => settings.displayName,
    }),
    displayIcon: t.string({
      description: "A URL, a path on the front end's own site, or a `data:` URL; empty for none.",
      resolve: ({ settings }) => settings.displayIcon,
    }),
    supportsDeviceFlow: t.boolean({
      description: 'Whether `startExternalAuthDevice` works: linking by a code, from a terminal.',
      resolve: ({ settings }) => settings.deviceFlow,
    }),
    supportsRevocation: t.boolean({
      description: 'Whether unlinking also ends the access at the provider.',
      resolve: async (provider) => (await capabilitiesOf(provider)).revocation,
    }),
    allowRefresh: t.boolean({
      description: 'Whether expired tokens are renewed.',
      resolve: ({ settings }) => !settings.noRefresh,
    }),
    allowValidate: t.boolean({
      description: 'Whether the provider can be asked if a token still works.',
      resolve: async (provider) => (await capabilitiesOf(provider)).validation,
    }),
    codeChallengeMethods: t.stringList({
      description: 'How the web flow is protected (PKCE, RFC 7636): `["S256"]`, or none.',
      resolve: ({ settings }) => (settings.pkce ? ['S256'] : []),
    }),
    scopes: t.stringList({
      description: "What is asked of the provider's users, in the provider's own words.",
      resolve: ({ settings }) => settings.scopes,
    }),
    appInstallUrl: t.string({
      nullable: true,
      description: "Where a person installs the provider's app; null when there is no such page.",
      resolve: ({ settings }) => settings.appInstallUrl,
    }),
    appInstallable: t.boolean({
      description: "Whether the provider tells where its app is installed: see a link's `installations`.",
      resolve: ({ settings }) => settings.appInstallationsUrl !== null,
    }),
  }),
});
