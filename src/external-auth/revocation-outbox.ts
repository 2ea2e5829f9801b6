import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';
import { newId } from '../db/new-id.ts';
import type { ExternalAuthRevocation } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { SecretUnreadable } from '../secrets/keyring.ts';
import { type Provider, ProviderFailure, type TokenSet } from './providers/provider.ts';

// Tokens that have to be revoked at their provider. A row is written in the transaction in which their link goes,
// so that a crash cannot forget one, and it stays until the provider has confirmed, has refused for good, or seven
// days have passed.

const LIFETIME_MS = 7 * 24 * 60 * 60 * 1_000;
/** Whoever tries has this long; then another process may. A provider's own time limits end every try before. */
const CLAIM_MS = 60_000;
const BACK_OFF_MS = { first: 60_000, longest: 6 * 60 * 60 * 1_000 };
const BATCH = 10;
const PAUSE_MS = 15_000;

/** A fault of the configuration, which an administrator may mend before it is too late. */
const CLIENT_FAULTS = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials']);

/** What became of one try. */
export type Delivery =
  | { outcome: 'revoked' }
  | { outcome: 'refused' | 'will be tried again'; reason: string };

const placeOf = (column: string, row: string) => ({
  table: 'external_auth_revocations',
  column,
  row,
});

/** Whether it is worth trying. What an issuer supports is known for sure only when it was discovered. */
export function mayRevoke({ supportsRevocation, settings }: Provider): boolean {
  return supportsRevocation || settings.issuer !== null;
}

/**
 * Keeps tokens to be revoked, in the transaction that ends their link.
 *
 * @returns the row, claimed for a first try by the caller
 */
export function enqueueRevocation(
  tx: Transaction,
  { keyring, clock }: Runtime,
  { settings }: Provider,
  {
    userId,
    linkId,
    tokens,
  }: { userId: string; linkId: string; tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'> },
): Promise<ExternalAuthRevocation> {
  const id = newId();
  const now = clock().getTime();
  const seal = (column: string, secret: string) => keyring.encrypt(secret, placeOf(column, id));
  return tx.externalAuthRevocation.create({
    data: {
      id,
      userId,
      linkId,
      providerId: settings.id,
      accessToken: seal('access_token', tokens.accessToken),
      refreshToken: tokens.refreshToken === null ? null : seal('refresh_token', tokens.refreshToken),
      nextAttemptAt: new Date(now + CLAIM_MS),
      expiresAt: new Date(now + LIFETIME_MS),
    },
  });
}

/**
 * Tries to revoke what is due, once. Any number of processes may do so at the same time.
 *
 * @returns how many tries there were
 */
export async function deliverRevocations(runtime: Runtime): Promise<number> {
  await giveUpOld(runtime);
  let tries = 0;
  for (;;) {
    const rows = await claimDue(runtime);
    await Promise.all(rows.map((row) => deliver(runtime, row)));
    tries += rows.length;
    if (rows.length < BATCH) return tries;
  }
}

/**
 * Looks for due revocations again and again.
 *
 * @returns how to stop; what is under way is background work, which shutdown waits for
 */
export function startRevocations(runtime: Runtime): () => void {
  const stop = new AbortController();
  async function work(): Promise<void> {
    while (!stop.signal.aborted) {
      await deliverRevocations(runtime).catch((error) =>
        runtime.log.warn({ err: error }, 'cannot look for revocations'),
      );
      await sleep(PAUSE_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {});
    }
  }
  runtime.background('revocations', work());
  return () => stop.abort();
}

/** Moves due rows on before they are tried, so that no other process tries them too. */
async function claimDue({ db, clock }: Runtime): Promise<ExternalAuthRevocation[]> {
  const now = clock();
  const until = new Date(now.getTime() + CLAIM_MS);
  const ids = await db.$queryRaw<{ id: string }[]>`
    WITH due AS MATERIALIZED (
      SELECT id FROM external_auth_revocations WHERE next_attempt_at <= ${now}
      ORDER BY next_attempt_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
    )
    UPDATE external_auth_revocations AS claimed SET next_attempt_at = ${until}, attempts = attempts + 1
    FROM due WHERE claimed.id = due.id
    RETURNING claimed.id`;
  return ids.length === 0
    ? []
    : db.externalAuthRevocation.findMany({ where: { id: { in: ids.map(({ id }) => id) } } });
}

/** Tries one revocation that the caller has claimed. Never throws because of a provider. */
export async function deliver(runtime: Runtime, row: ExternalAuthRevocation): Promise<Delivery> {
  const { id, userId, providerId } = row;
  try {
    const provider = runtime.providers.find(providerId);
    if (!provider) {
      throw new ProviderFailure(`The provider "${providerId}" is no longer configured.`, { transient: true });
    }
    await provider.revoke({
      accessToken: runtime.keyring.decrypt(row.accessToken, placeOf('access_token', id)),
      refreshToken:
        row.refreshToken === null
          ? null
          : runtime.keyring.decrypt(row.refreshToken, placeOf('refresh_token', id)),
    });
    await finish(runtime, row, 'external_auth.revoke', {});
    return { outcome: 'revoked' };
  } catch (error) {
    if (!(error instanceof ProviderFailure || error instanceof SecretUnreadable)) throw error;
    const reason = error.message;
    const details = { userId, providerId, revocationId: id, attempts: row.attempts };
    if (error instanceof ProviderFailure && (error.transient || CLIENT_FAULTS.has(error.oauthError ?? ''))) {
      runtime.log.warn({ err: error, ...details }, 'a token could not be revoked yet');
      await postpone(runtime, row);
      return { outcome: 'will be tried again', reason };
    }
    runtime.log.warn({ err: error, ...details }, 'a token will not be revoked');
    await finish(runtime, row, 'external_auth.revoke_failed', { reason });
    return { outcome: 'refused', reason };
  }
}

async function postpone({ db, clock }: Runtime, { id, attempts }: ExternalAuthRevocation): Promise<void> {
  const pause = Math.min(BACK_OFF_MS.first * 2 ** attempts, BACK_OFF_MS.longest);
  await db.externalAuthRevocation.updateMany({
    where: { id, attempts },
    data: { nextAttemptAt: new Date(clock().getTime() + pause) },
  });
}

/** Forgets the tokens. A row that is gone already was called off: its account was linked again. */
async function finish(
  { db }: Runtime,
  { id, userId, linkId, providerId, attempts }: ExternalAuthRevocation,
  action: 'external_auth.revoke' | 'external_auth.revoke_failed',
  details: Record<string, string>,
): Promise<void> {
  const service: Actor = { userId, tokenId: null, requestId: null };
  await db.$transaction(async (tx) => {
    const { count } = await tx.externalAuthRevocation.deleteMany({ where: { id, userId } });
    if (count === 0) return;
    await recordAudit(tx, service, {
      action,
      targetType: 'external_auth_link',
      targetId: linkId,
      details: { providerId, attempts, ...details },
    });
  });
}

async function giveUpOld(runtime: Runtime): Promise<void> {
  const old = await runtime.db.externalAuthRevocation.findMany({
    where: { expiresAt: { lte: runtime.clock() } },
    take: 100,
  });
  for (const row of old) {
    const { id, userId, providerId, attempts } = row;
    runtime.log.error(
      { userId, providerId, revocationId: id, attempts },
      'a token was not revoked within 7 days',
    );
    await finish(runtime, row, 'external_auth.revoke_failed', {
      reason: 'It could not be revoked within 7 days.',
    });
  }
}
