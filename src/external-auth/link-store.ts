import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import { newId } from '../db/new-id.ts';
import { isUniqueConflict } from '../db/unique-conflict.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Provider, TokenSet } from './providers/provider.ts';

type StoredTokens = Pick<ExternalAuthLink, 'accessToken' | 'refreshToken' | 'tokenExtra' | 'expiresAt'>;

const placeOf = (column: string, row: string) => ({ table: 'external_auth_links', column, row });

/** A token set as a link's row holds it. */
export function sealTokens(
  keyring: Keyring,
  linkId: string,
  { accessToken, refreshToken, expiresAt, extra }: TokenSet,
): StoredTokens {
  const seal = (column: string, secret: string) => keyring.encrypt(secret, placeOf(column, linkId));
  return {
    accessToken: seal('access_token', accessToken),
    refreshToken: refreshToken === null ? null : seal('refresh_token', refreshToken),
    tokenExtra: Object.keys(extra).length === 0 ? null : seal('token_extra', JSON.stringify(extra)),
    expiresAt,
  };
}

/**
 * The token set of a link's row.
 *
 * @throws SecretUnreadable
 */
export function openTokens(keyring: Keyring, link: StoredTokens & { id: string }): TokenSet {
  const open = (column: string, stored: string) => keyring.decrypt(stored, placeOf(column, link.id));
  return {
    accessToken: open('access_token', link.accessToken),
    refreshToken: link.refreshToken === null ? null : open('refresh_token', link.refreshToken),
    extra: link.tokenExtra === null ? {} : JSON.parse(open('token_extra', link.tokenExtra)),
    expiresAt: link.expiresAt,
  };
}

/**
 * Stores what linking an account brought: a new link, or new tokens on the actor's link with that provider.
 *
 * A replaced link's old tokens are forgotten, and not revoked: what falls with a token is the provider's decision
 * (RFC 7009 section 2.1), and with GitHub, Google and many others the whole grant does, the new tokens included. A
 * revocation that still waits for its turn from an earlier unlink is called off for the same reason.
 *
 * A renewal of the old tokens that is under way loses: it finds other tokens than it started from, and no lease.
 */
export async function saveLink(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  tokens: TokenSet,
): Promise<ExternalAuthLink> {
  const { userId } = actor;
  const providerId = provider.settings.id;
  for (;;) {
    try {
      const link = await storeLink(runtime, actor, providerId, tokens);
      runtime.notifications.publish({ kind: 'external_auth_link', userId, providerId, change: 'LINKED' });
      return link;
    } catch (error) {
      // Another request linked the same account for the first time in the same moment: now there is a row.
      if (!isUniqueConflict(error, 'user_id', 'provider_id')) throw error;
    }
  }
}

function storeLink(
  { db, keyring }: Runtime,
  actor: Actor,
  providerId: string,
  tokens: TokenSet,
): Promise<ExternalAuthLink> {
  const owner = { userId: actor.userId, providerId };
  return db.$transaction(async (tx) => {
    const before = await tx.externalAuthLink.findUnique({
      where: { userId_providerId: owner },
      select: { id: true },
    });
    const id = before?.id ?? newId();
    const data = {
      ...sealTokens(keyring, id, tokens),
      refreshFailureReason: null,
      refreshLeaseId: null,
      refreshLeaseUntil: null,
    };
    const [replaced] = before
      ? await tx.externalAuthLink.updateManyAndReturn({ where: { id, ...owner }, data })
      : [];
    const link = replaced ?? (await tx.externalAuthLink.create({ data: { id, ...owner, ...data } }));
    await tx.externalAuthRevocation.deleteMany({ where: owner });
    await recordAudit(tx, actor, {
      action: 'external_auth.link',
      targetType: 'external_auth_link',
      targetId: id,
      details: {
        providerId,
        replaced: replaced !== undefined,
        hasRefreshToken: link.refreshToken !== null,
        expiresAt: link.expiresAt?.toISOString() ?? null,
      },
    });
    return link;
  });
}
