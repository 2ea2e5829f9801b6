import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import { DomainError, NotFound } from '../errors.ts';
import type { ExternalAuthLink, ExternalAuthRevocation } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { SecretUnreadable } from '../secrets/keyring.ts';
import { openTokens } from './link-store.ts';
import { isProviderId } from './provider-registry.ts';
import { type Provider, ProviderFailure, type TokenSet } from './providers/provider.ts';
import { freshLink } from './refresh.ts';
import { type Delivery, deliver, enqueueRevocation, mayRevoke } from './revocation-outbox.ts';

/** The token cannot be renewed: only its owner can help, by linking the account again. */
export class RelinkRequired extends DomainError {
  constructor(reason: string) {
    super('EXTERNAL_AUTH_RELINK_REQUIRED', 409, `${reason} Link the account again.`, { path: PATH });
  }
}

const PATH = ['input', 'providerId'];

/**
 * Renews the token of the actor's link now, whether or not it has expired.
 *
 * @throws NotFound when there is no link
 * @throws RelinkRequired when it cannot be renewed
 * @throws ProviderFailure when the provider did not renew it, but may do so later
 */
export async function refreshLink(
  runtime: Runtime,
  actor: Actor,
  providerId: string,
): Promise<ExternalAuthLink> {
  const link = isProviderId(providerId)
    ? await runtime.db.externalAuthLink.findUnique({
        where: { userId_providerId: { userId: actor.userId, providerId } },
      })
    : null;
  if (!link) throw new NotFound('The link', PATH);
  const provider = runtime.providers.find(providerId);
  if (!provider) {
    throw new ProviderFailure(`The provider "${providerId}" is no longer configured.`, { transient: false });
  }
  const { displayName, noRefresh } = provider.settings;
  if (noRefresh) throw new RelinkRequired('The administrator has turned off renewals for this provider.');
  const fresh = await freshLink(runtime, actor, provider, link, { now: true });
  if (!fresh) throw new NotFound('The link', PATH);
  if (fresh.refreshFailureReason !== null) throw new RelinkRequired(fresh.refreshFailureReason);
  // It is asked of the link as it was: whoever linked again in this moment has a new token all the same.
  if (link.refreshToken === null)
    throw new RelinkRequired(`${displayName} gave nothing to renew the token with.`);
  return fresh;
}

export interface Unlinking {
  /** Whether the provider has confirmed that the token is of no more use. */
  tokenRevoked: boolean;
  /** Why it has not, for the link's owner. */
  tokenRevocationError: string | null;
}

/** How long an unlink waits for the provider. What takes longer goes on behind it. */
const REVOKE_MS = 10_000;

/**
 * Deletes the actor's link at once, also one whose provider left the configuration; then revokes its tokens, as far
 * as the provider can. What fails is tried again for seven days.
 *
 * @throws NotFound when there is no link
 */
export async function unlink(runtime: Runtime, actor: Actor, providerId: string): Promise<Unlinking> {
  if (!isProviderId(providerId)) throw new NotFound('The link', PATH);
  const provider = runtime.providers.find(providerId);
  const { revocation, tokens } = await deleteLink(runtime, actor, providerId, provider);
  const { userId } = actor;
  runtime.notifications.publish({ kind: 'external_auth_link', userId, providerId, change: 'UNLINKED' });

  if (!provider)
    return notRevoked(`The provider "${providerId}" is no longer configured, so its token was not revoked.`);
  const { displayName } = provider.settings;
  if (!tokens) return notRevoked('The stored token could not be read, so it was not revoked.');
  if (!revocation) {
    return notRevoked(
      `${displayName} offers no way to revoke the token. Remove the access in your settings there.`,
    );
  }
  const delivery = deliver(runtime, revocation).catch((error): Delivery => {
    // The link is gone, whatever becomes of the rest.
    runtime.log.error({ err: error }, 'a revocation was interrupted');
    return { outcome: 'will be tried again', reason: 'The revocation was interrupted.' };
  });
  runtime.background('revocation', delivery);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, REVOKE_MS, 'late');
  });
  const result = await Promise.race([delivery, late]).finally(() => clearTimeout(timer));
  if (result === 'late') return notRevoked(`${displayName} has not confirmed the revocation yet.`);
  if (result.outcome === 'revoked') return { tokenRevoked: true, tokenRevocationError: null };
  return notRevoked(
    result.outcome === 'refused'
      ? result.reason
      : `${result.reason} Revoking it will be tried again by itself.`,
  );
}

const notRevoked = (reason: string): Unlinking => ({ tokenRevoked: false, tokenRevocationError: reason });

/** Without its link a token is known to nobody, so the link goes and its revocation comes in one transaction. */
function deleteLink(
  runtime: Runtime,
  actor: Actor,
  providerId: string,
  provider: Provider | null,
): Promise<{ revocation: ExternalAuthRevocation | null; tokens: TokenSet | null }> {
  const owner = { userId: actor.userId, providerId };
  return runtime.db.$transaction(async (tx) => {
    for (;;) {
      const link = await tx.externalAuthLink.findUnique({ where: { userId_providerId: owner } });
      if (!link) throw new NotFound('The link', PATH);
      // Only with the tokens that were read: a renewal may be storing newer ones.
      const { count } = await tx.externalAuthLink.deleteMany({
        where: { id: link.id, ...owner, accessToken: link.accessToken },
      });
      if (count === 0) continue;
      const tokens = readable(runtime, link);
      const revocation =
        provider && tokens && mayRevoke(provider)
          ? await enqueueRevocation(tx, runtime, provider, { userId: actor.userId, linkId: link.id, tokens })
          : null;
      await recordAudit(tx, actor, {
        action: 'external_auth.unlink',
        targetType: 'external_auth_link',
        targetId: link.id,
        details: { providerId, revocation: revocation !== null },
      });
      return { revocation, tokens };
    }
  });
}

/** A link whose secrets are damaged can be unlinked like any other. */
function readable({ keyring, log }: Runtime, link: ExternalAuthLink): TokenSet | null {
  try {
    return openTokens(keyring, link);
  } catch (error) {
    if (!(error instanceof SecretUnreadable)) throw error;
    log.error({ err: error }, 'an unlinked token cannot be read, and so not be revoked');
    return null;
  }
}
