import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import type { Runtime } from '../runtime.ts';
import { check } from './link-state.ts';
import { openTokens } from './link-store.ts';
import type { ProviderSettings } from './provider-settings.ts';
import { matchProvider } from './providers/match-provider.ts';
import type { Provider } from './providers/provider.ts';

/** A linked account's access token, and how git sends it over HTTPS. */
export interface Credentials {
  accessToken: string;
  /** The fields of the provider's token response that its configuration names. */
  extra: Record<string, unknown>;
  username: string;
  password: string;
  /** Null when the provider does not tell. */
  expiresAt: Date | null;
}

export interface HandOut {
  settings: ProviderSettings;
  /** Where a person links the account, or links it again. */
  linkUrl: string;
  /** Null when the account is not linked, or its link no longer works. */
  credentials: Credentials | null;
}

/**
 * Hands a linked account's token to a machine that acts for its owner. It is renewed first when it has expired.
 *
 * @returns null when no provider has the id or serves the URL
 * @throws ProviderFailure when an expired token cannot be renewed for now
 * @throws SecretUnreadable
 */
export async function handOutToken(
  runtime: Runtime,
  actor: Actor,
  named: { id: string } | { match: string },
): Promise<HandOut | null> {
  const settings =
    'id' in named
      ? runtime.providers.find(named.id)?.settings
      : matchProvider(
          runtime.providers.all.map((provider) => provider.settings),
          named.match,
        );
  const provider = settings && runtime.providers.find(settings.id);
  if (!provider) return null;
  return {
    settings: provider.settings,
    linkUrl: `${runtime.config.http.publicUrl}/external-auth/${provider.settings.id}`,
    credentials: await readCredentials(runtime, actor, provider),
  };
}

async function readCredentials(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
): Promise<Credentials | null> {
  const providerId = provider.settings.id;
  const where = { userId_providerId: { userId: actor.userId, providerId } };
  const link = await runtime.db.externalAuthLink.findUnique({ where });
  if (!link) return null;
  // Only a clear no withholds the token. When the provider could not be asked whether it takes a token that has not
  // expired, the machine will hear that from the provider itself.
  const { validation } = await check(runtime, actor, provider, link);
  if (validation === 'INVALID') return null;

  // Whoever receives a token is on record before it leaves: no row, no token.
  const handedOut = await runtime.db.$transaction(async (tx) => {
    const current = await tx.externalAuthLink.findUnique({ where });
    if (!current) return null;
    await recordAudit(tx, actor, {
      action: 'external_auth.token_handed_out',
      targetType: 'external_auth_link',
      targetId: current.id,
      details: { providerId },
    });
    return openTokens(runtime.keyring, current);
  });
  if (!handedOut) return null;
  const { accessToken, extra, expiresAt } = handedOut;
  return { accessToken, extra, expiresAt, ...provider.gitCredentials(accessToken) };
}
