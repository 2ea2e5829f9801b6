import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import { perRuntime, type Runtime } from '../runtime.ts';
import { createSingleFlight } from '../single-flight.ts';
import { openTokens, sealTokens } from './link-store.ts';
import {
  isPermanentRefreshFailure,
  type Provider,
  ProviderFailure,
  type TokenSet,
} from './providers/provider.ts';
import { enqueueRevocation, mayRevoke } from './revocation-outbox.ts';

// How a token is renewed. Refresh tokens are often good for one use: whoever uses one a second time gets an error,
// and with some providers loses the grant. So the rules are:
//
// 1. One renewal at a time for each user and provider. In one process, callers share a promise. Between processes,
//    whoever renews holds a lease in the row. It is short and kept alive while its holder is, so that a holder who
//    crashed loses it soon, and one who waits for a slow provider does not.
// 2. What was renewed is written only onto the tokens that it was renewed from. They are compared in plain text,
//    since a rotation of the encryption keys rewrites what is stored. A link that was linked again meanwhile keeps
//    its newer tokens.
// 3. The new tokens are stored before anybody sees them, by work that no caller can abort, and that goes on trying
//    while the database is away: this process holds the only copy.
// 4. A refusal counts only from the lease's holder, and only if the tokens are still those that were refused. For
//    good it is only in the provider's own words (isPermanentRefreshFailure); everything else leaves the link as
//    it is.
//
// What is left: a process that is killed after the provider has answered and before the answer is stored takes the
// new refresh token with it. The next renewal is then refused for good, and the owner is asked to link again.

/** A token that has no more than this to live is taken for expired: it has to survive the way to the provider. */
const EARLY_MS = 10_000;
/** By the database's clock, which is the same for all processes. */
const LEASE_MS = 12_000;
const HEARTBEAT_MS = 4_000;
/** How long somebody waits for another process's renewal. */
const PATIENCE_MS = 25_000;
const POLL_MS = { first: 25, longest: 400 };
/** Tries begin within this time. */
const TRY_MS = 10_000;
const STORE_MS = 60_000;
const BACK_OFF_MS = { first: 250, longest: 2_000 };

function isExpired(expiresAt: Date | null, now: Date): boolean {
  return expiresAt !== null && expiresAt.getTime() - EARLY_MS <= now.getTime();
}

const flights = perRuntime(() => createSingleFlight<ExternalAuthLink | null>());

/** Links whose provider asked to be left alone (`Retry-After`), with the answer to give until then. */
const rests = perRuntime(() => new Map<string, { until: number; failure: ProviderFailure }>());
const MAX_RESTS = 10_000;

/**
 * The link with a token that has not expired, renewed if need be. It comes back as it is when it cannot be renewed:
 * without a refresh token, or where the configuration says so.
 *
 * @param actor who asked first, for the audit trail
 * @param now renews also what has not expired
 * @returns null when the link is gone
 * @throws ProviderFailure when the provider did not renew the token, but may do so later
 * @throws SecretUnreadable
 */
export async function freshLink(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  link: ExternalAuthLink,
  { now = false }: { now?: boolean } = {},
): Promise<ExternalAuthLink | null> {
  if (link.refreshToken === null || provider.settings.noRefresh) return link;
  if (!now && !isExpired(link.expiresAt, runtime.clock())) return link;
  const key = `${link.userId} ${link.providerId}`;
  const rest = rests(runtime).get(key);
  if (rest && rest.until > runtime.clock().getTime()) throw rest.failure;
  rests(runtime).delete(key);

  return flights(runtime)(key, () => {
    const work = renew(runtime, actor, provider, link);
    // Goes on when the caller has gone, and shutdown waits for it. The failures of providers are the callers' matter.
    runtime.background(
      'token renewal',
      work.catch((error) => {
        if (!(error instanceof ProviderFailure)) throw error;
        if (error.retryAfterMs === null || rests(runtime).size >= MAX_RESTS) return;
        rests(runtime).set(key, { until: runtime.clock().getTime() + error.retryAfterMs, failure: error });
      }),
    );
    return work;
  });
}

/** Renews, or waits for whoever does. */
async function renew(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  { userId, providerId, ...seen }: ExternalAuthLink,
): Promise<ExternalAuthLink | null> {
  const { accessToken } = openTokens(runtime.keyring, seen);
  const deadline = performance.now() + PATIENCE_MS;
  let wasHeld = false;
  for (let pause = POLL_MS.first; ; pause = Math.min(pause * 2, POLL_MS.longest)) {
    const link = await runtime.db.externalAuthLink.findUnique({
      where: { userId_providerId: { userId, providerId } },
    });
    if (!link || !isSameToken(runtime, link, accessToken) || link.refreshToken === null) return link;
    // Whoever held the lease has let go of it, and the token is the old one: the provider failed them a moment ago.
    if (wasHeld && link.refreshLeaseId === null) throw cannotRenew(provider);
    wasHeld = link.refreshLeaseId !== null;

    const lease = await takeLease(runtime, link);
    if (lease) {
      const outcome = await renewWithLease(runtime, actor, provider, link, lease);
      if (outcome !== 'lease lost') return outcome;
    }
    if (performance.now() > deadline) throw cannotRenew(provider);
    await sleep(pause);
  }
}

function cannotRenew({ settings }: Provider): ProviderFailure {
  return new ProviderFailure(`${settings.displayName} did not renew the token just now. Try again later.`, {
    transient: true,
  });
}

function isSameToken({ keyring }: Runtime, link: ExternalAuthLink, accessToken: string): boolean {
  return openTokens(keyring, link).accessToken === accessToken;
}

/** @returns the lease's id; null when somebody else holds it, or the row is no longer what was read */
async function takeLease({ db }: Runtime, link: ExternalAuthLink): Promise<string | null> {
  const lease = randomUUID();
  const taken = await db.$executeRaw`
    UPDATE external_auth_links
    SET refresh_lease_id = ${lease}::uuid,
        refresh_lease_until = clock_timestamp() + ${LEASE_MS}::int * interval '1 millisecond'
    WHERE id = ${link.id}::uuid
      AND access_token = ${link.accessToken} AND refresh_token = ${link.refreshToken}
      AND refresh_lease_id IS NOT DISTINCT FROM ${link.refreshLeaseId}::uuid
      AND (refresh_lease_until IS NULL OR refresh_lease_until <= clock_timestamp())`;
  return taken === 1 ? lease : null;
}

function keepLease({ db, log }: Runtime, linkId: string, lease: string): { stop: () => void } {
  const timer = setInterval(() => {
    db.$executeRaw`
      UPDATE external_auth_links
      SET refresh_lease_until = clock_timestamp() + ${LEASE_MS}::int * interval '1 millisecond'
      WHERE id = ${linkId}::uuid AND refresh_lease_id = ${lease}::uuid`.catch((error) =>
      log.warn({ err: error }, 'cannot keep the lease of a renewal'),
    );
  }, HEARTBEAT_MS);
  return { stop: () => clearInterval(timer) };
}

async function giveLeaseBack({ db, log }: Runtime, linkId: string, lease: string): Promise<void> {
  await db.$executeRaw`
    UPDATE external_auth_links SET refresh_lease_id = NULL, refresh_lease_until = NULL
    WHERE id = ${linkId}::uuid AND refresh_lease_id = ${lease}::uuid`.catch((error) =>
    // It ends by itself.
    log.warn({ err: error }, 'cannot give back the lease of a renewal'),
  );
}

async function renewWithLease(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  link: ExternalAuthLink,
  lease: string,
): Promise<ExternalAuthLink | null | 'lease lost'> {
  const heartbeat = keepLease(runtime, link.id, lease);
  try {
    const old = openTokens(runtime.keyring, link);
    const renewed = await askProvider(provider, old.refreshToken ?? '');
    return await storeRenewed(runtime, actor, provider, { link, old, renewed });
  } catch (error) {
    if (isPermanentRefreshFailure(error))
      return await giveUp(runtime, actor, { link, lease, failure: error });
    await giveLeaseBack(runtime, link.id, lease);
    throw error;
  } finally {
    heartbeat.stop();
  }
}

/** Tries again while the failure is one of the moment, and the provider does not ask for more time than there is. */
async function askProvider(provider: Provider, refreshToken: string): Promise<TokenSet> {
  const deadline = performance.now() + TRY_MS;
  for (let pause = BACK_OFF_MS.first; ; pause = Math.min(pause * 2, BACK_OFF_MS.longest)) {
    try {
      return await provider.refresh(refreshToken);
    } catch (error) {
      if (!(error instanceof ProviderFailure) || !error.transient) throw error;
      const wait = Math.max(pause, error.retryAfterMs ?? 0);
      if (performance.now() + wait > deadline) throw error;
      await sleep(wait);
    }
  }
}

interface Renewal {
  link: ExternalAuthLink;
  old: TokenSet;
  renewed: TokenSet;
}

/** Whether it holds the lease does not matter here: these tokens are newer than those that they came from. */
async function storeRenewed(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  { link, old, renewed }: Renewal,
): Promise<ExternalAuthLink | null> {
  const { userId, providerId } = link;
  const tokens: TokenSet = {
    ...renewed,
    refreshToken: renewed.refreshToken ?? old.refreshToken,
    // An answer to a renewal often leaves out what the first one told.
    extra: { ...old.extra, ...renewed.extra },
  };
  const { current, isStored } = await insist(runtime, () =>
    runtime.db.$transaction(async (tx) => {
      const where = { userId_providerId: { userId, providerId } };
      for (;;) {
        const row = await tx.externalAuthLink.findUnique({ where });
        if (!row) {
          // Unlinked meanwhile. What the provider has just issued would live on without anybody knowing.
          if (mayRevoke(provider)) {
            await enqueueRevocation(tx, runtime, provider, { userId, linkId: link.id, tokens });
          }
          return { current: null, isStored: false };
        }
        if (!isSameToken(runtime, row, old.accessToken)) return { current: row, isStored: false };
        const [stored] = await tx.externalAuthLink.updateManyAndReturn({
          where: { id: row.id, userId, accessToken: row.accessToken },
          data: {
            ...sealTokens(runtime.keyring, row.id, tokens),
            refreshFailureReason: null,
            refreshLeaseId: null,
            refreshLeaseUntil: null,
          },
        });
        if (!stored) continue;
        await recordAudit(tx, actor, {
          action: 'external_auth.refresh',
          targetType: 'external_auth_link',
          targetId: row.id,
          details: {
            providerId,
            refreshTokenReplaced: renewed.refreshToken !== null,
            expiresAt: stored.expiresAt?.toISOString() ?? null,
          },
        });
        return { current: stored, isStored: true };
      }
    }),
  );
  if (isStored) {
    runtime.notifications.publish({ kind: 'external_auth_link', userId, providerId, change: 'REFRESHED' });
  }
  return current;
}

/** Goes on while the database is away. */
async function insist<Result>({ log }: Runtime, store: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + STORE_MS;
  for (let pause = BACK_OFF_MS.first; ; pause = Math.min(pause * 2, BACK_OFF_MS.longest)) {
    try {
      return await store();
    } catch (error) {
      if (!isDatabaseUnavailable(error) || performance.now() > deadline) throw error;
      log.error({ err: error }, 'cannot store a renewed token yet, trying again');
      await sleep(pause);
    }
  }
}

/** The provider refused for good: the reason is kept and the refresh token dropped, so that nobody asks again. */
async function giveUp(
  runtime: Runtime,
  actor: Actor,
  { link, lease, failure }: { link: ExternalAuthLink; lease: string; failure: ProviderFailure },
): Promise<ExternalAuthLink | null | 'lease lost'> {
  const { userId, providerId } = link;
  const { accessToken } = openTokens(runtime.keyring, link);
  const { outcome, isBroken } = await runtime.db.$transaction(async (tx) => {
    for (;;) {
      const row = await tx.externalAuthLink.findUnique({
        where: { userId_providerId: { userId, providerId } },
      });
      if (!row || !isSameToken(runtime, row, accessToken)) return { outcome: row, isBroken: false };
      // Another process took over, and may be about to store what the refused token was good for.
      if (row.refreshLeaseId !== lease) return { outcome: 'lease lost' as const, isBroken: false };
      const [broken] = await tx.externalAuthLink.updateManyAndReturn({
        where: { id: row.id, userId, accessToken: row.accessToken, refreshLeaseId: lease },
        data: {
          refreshToken: null,
          refreshFailureReason: cutBytes(failure.message, 400),
          refreshLeaseId: null,
          refreshLeaseUntil: null,
        },
      });
      if (!broken) continue;
      await recordAudit(tx, actor, {
        action: 'external_auth.refresh_failed',
        targetType: 'external_auth_link',
        targetId: row.id,
        details: { providerId, oauthError: failure.oauthError },
      });
      return { outcome: broken, isBroken: true };
    }
  });
  if (isBroken) {
    runtime.notifications.publish({ kind: 'external_auth_link', userId, providerId, change: 'BROKEN' });
  }
  return outcome;
}

/** Cuts a text to as many bytes of UTF-8, between two characters. */
export function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= max) return text;
  let end = max;
  // Bytes that continue a character begin with the bits 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
