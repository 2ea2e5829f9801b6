import type { z } from 'zod';
import type {
  CoderAccountFragment,
  CoderExternalAuthQuery,
  CoderExternalAuthsQuery,
  CoderMachineTokenQuery,
} from '../../generated/operations.ts';
import { type ExternalAuth, type ExternalAuthList, GO_ZERO_TIME, type MachineToken } from './schemas.ts';

type Link = CoderExternalAuthsQuery['viewer']['externalAuthLinks'][number];
type Provider = CoderExternalAuthsQuery['externalAuthProviders'][number];
type ProviderWithLink = NonNullable<CoderExternalAuthQuery['externalAuthProvider']>;

type List = z.infer<typeof ExternalAuthList>;

/** @param links the last updated first */
export function listAnswer(links: Link[], providers: Provider[]): List {
  const all = links.map(linkAnswer);
  return {
    ...(all[0] ?? NO_LINK),
    links: all,
    providers: providers.map((provider) => ({
      id: provider.id,
      type: provider.type,
      device: provider.supportsDeviceFlow,
      display_name: provider.displayName,
      display_icon: provider.displayIcon,
      allow_refresh: provider.allowRefresh,
      allow_validate: provider.allowValidate,
      supports_revocation: provider.supportsRevocation,
      code_challenge_methods_supported: provider.codeChallengeMethods,
    })),
  };
}

const NO_LINK: List['links'][number] = {
  provider_id: '',
  created_at: GO_ZERO_TIME,
  updated_at: GO_ZERO_TIME,
  has_refresh_token: false,
  expires: GO_ZERO_TIME,
  authenticated: false,
  validate_error: '',
};

function linkAnswer(link: Link): List['links'][number] {
  return {
    provider_id: link.providerId,
    created_at: link.createdAt,
    updated_at: link.updatedAt,
    has_refresh_token: link.hasRefreshToken,
    expires: link.expiresAt ?? GO_ZERO_TIME,
    authenticated: link.authenticated,
    validate_error: link.validateError ?? '',
  };
}

export function externalAuthAnswer(provider: ProviderWithLink): z.infer<typeof ExternalAuth> {
  const { link } = provider;
  return {
    authenticated: link?.authenticated ?? false,
    device: provider.supportsDeviceFlow,
    display_name: provider.displayName,
    supports_revocation: provider.supportsRevocation,
    user: link?.account ? accountAnswer(link.account) : null,
    app_installable: provider.appInstallable,
    installations: (link?.installations ?? []).map((installation) => ({
      id: installation.id,
      account: accountAnswer(installation.account),
      configure_url: installation.configureUrl,
    })),
    app_install_url: provider.appInstallUrl ?? '',
  };
}

function accountAnswer(account: CoderAccountFragment): NonNullable<z.infer<typeof ExternalAuth>['user']> {
  return {
    id: accountNumber(account.id),
    login: account.login,
    avatar_url: account.avatarUrl,
    profile_url: account.profileUrl,
    name: account.name,
  };
}

export function machineTokenAnswer({
  type,
  linkUrl,
  credentials,
}: NonNullable<CoderMachineTokenQuery['externalAuthToken']>): z.infer<typeof MachineToken> {
  if (!credentials) return { url: linkUrl };
  const { accessToken, extra, username, password } = credentials;
  return { access_token: accessToken, token_extra: extra, url: '', type, username, password };
}

/**
 * The dialect's accounts have numbers. A provider may name an account by any text: such an id, and one that JSON's
 * readers could not hold exactly, becomes 0.
 */
export function accountNumber(id: string): number {
  const number = Number(id);
  return String(number) === id && Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
