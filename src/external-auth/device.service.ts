import { z } from 'zod';
import type { Actor } from '../auth/viewer.ts';
import { newId } from '../db/new-id.ts';
import { DomainError } from '../errors.ts';
import type { DeviceAuthorization, ExternalAuthLink } from '../generated/prisma/client.ts';
import { isPlainLine, parseInput } from '../input.ts';
import type { Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import { keepTokens } from './keep-tokens.ts';
import { type DeviceGrant, type Provider, ProviderFailure, type TokenSet } from './providers/provider.ts';
import { requireProvider } from './require-provider.ts';

export class DeviceFlowUnsupported extends DomainError {
  constructor(name: string) {
    super(
      'EXTERNAL_AUTH_DEVICE_UNSUPPORTED',
      400,
      `${name} takes no sign-in with a code: link it in a browser.`,
      {
        path: ['input', 'providerId'],
      },
    );
  }
}

/** What the codes of RFC 8628 section 3.5 mean for people. The provider's own words stand for all others. */
const MEANINGS: Record<string, string> = {
  authorization_pending: 'The sign-in has not been approved yet. Ask again after the interval.',
  slow_down: 'This was asked too soon. Wait 5 seconds longer from now on.',
  expired_token: 'This device code has expired, was used, or never was. Start again.',
  access_denied: 'The sign-in was turned down. Start again to get another code.',
};

/** There is no token for a device code: not yet, or never. */
export class DeviceRefused extends DomainError {
  /** The bare code. A client goes on asking while it is `authorization_pending` or `slow_down`, and only then. */
  readonly oauthError: string;

  constructor(oauthError: string, message = MEANINGS[oauthError] ?? oauthError, cause?: unknown) {
    super('EXTERNAL_AUTH_DEVICE_REFUSED', 400, message, { path: ['input', 'deviceCode'], cause });
    this.oauthError = oauthError;
  }
}

/** RFC 8628 section 3.5. */
const SLOW_DOWN_S = 5;
/** Nobody who asks too often, or whose provider is away, waits longer than this for the next answer, in seconds. */
const LONGEST_PACE_S = 60;
/** A provider may promise a code for longer, and forget it: ours is a day at most, in seconds. */
const LONGEST_LIFE_S = 86_400;
/** A poll's own time: discovery and two ways to authenticate, each within the limit of an outgoing call. */
const POLL_MS = 40_000;
/** Of one user at one provider. A further one takes the place of the oldest. */
const MAX_PENDING = 20;
/** How many expired ones a new one clears away. */
const CLEANED_AT_ONCE = 100;

/** RFC 8628 section 3.2 lets a device code have any printable characters of ASCII. */
const deviceCode = z
  .string('Device code takes text.')
  .regex(/^[\x20-\x7e]{1,4096}$/, 'Device code takes 1 to 4096 printable characters of ASCII.');

const exchangeInput = z.object({ deviceCode: deviceCode.nullish() });

/**
 * Asks a provider for a code that the actor types in there. Several may wait at once.
 *
 * @throws NotFound
 * @throws DeviceFlowUnsupported
 * @throws ProviderFailure
 */
export async function startDevice(runtime: Runtime, actor: Actor, providerId: string): Promise<DeviceGrant> {
  const provider = requireDeviceProvider(runtime, providerId);
  const grant = boundGrant(await provider.startDevice(), provider.settings.displayName);
  const { db, keyring, clock } = runtime;
  const id = newId();
  const now = clock();
  const owner = { userId: actor.userId, providerId };
  await db.deviceAuthorization.create({
    data: {
      id,
      ...owner,
      deviceCodeHash: sha256(grant.deviceCode),
      deviceCode: keyring.encrypt(grant.deviceCode, placeOf(id)),
      userCode: grant.userCode,
      verificationUri: grant.verificationUri,
      verificationUriComplete: grant.verificationUriComplete,
      interval: grant.interval,
      nextPollAt: now,
      expiresAt: new Date(now.getTime() + grant.expiresIn * 1_000),
    },
  });
  await db.deviceAuthorization.deleteMany({ where: { expiresAt: { lte: now } }, limit: CLEANED_AT_ONCE });
  const tooMany = await db.deviceAuthorization.findMany({
    where: owner,
    orderBy: { createdAt: 'desc' },
    skip: MAX_PENDING,
    select: { id: true },
  });
  if (tooMany.length > 0) {
    await db.deviceAuthorization.deleteMany({ where: { id: { in: tooMany.map((row) => row.id) } } });
  }
  return grant;
}

/**
 * Asks for the tokens of a device code, and links the account when its owner has approved.
 *
 * The provider is asked no more often than it wishes, whoever asks us: too soon is `slow_down` from us. A code that
 * is unknown, used, expired or another user's is `expired_token`, so that no answer depends on when we clean up, or
 * tells of somebody else's; it is also the code at which clients offer to start again.
 *
 * @param code null or absent: the actor's latest one that waits at the provider
 * @throws InvalidInput
 * @throws NotFound
 * @throws DeviceFlowUnsupported
 * @throws DeviceRefused
 * @throws ProviderFailure when the provider has a bad moment: the code goes on waiting
 */
export async function exchangeDevice(
  runtime: Runtime,
  actor: Actor,
  providerId: string,
  code?: string | null,
): Promise<ExternalAuthLink> {
  const input = parseInput(exchangeInput, { deviceCode: code });
  const provider = requireDeviceProvider(runtime, providerId);
  const pending = await findPending(runtime, { userId: actor.userId, providerId }, input.deviceCode ?? null);
  const now = runtime.clock();
  if (pending.expiresAt <= now) {
    await forget(runtime, pending);
    throw new DeviceRefused('expired_token');
  }
  if (!(await claimPoll(runtime, pending, now))) {
    await slowDown(runtime, pending);
    throw new DeviceRefused('slow_down');
  }
  const link = await keepTokens(runtime, actor, provider, poll(runtime, provider, pending, now));
  // After the link: whoever comes in between is told to slow down, and a crash leaves a used code, which expires.
  await forget(runtime, pending);
  return link;
}

function requireDeviceProvider(runtime: Runtime, providerId: string): Provider {
  const provider = requireProvider(runtime, providerId);
  if (!provider.settings.deviceFlow) throw new DeviceFlowUnsupported(provider.settings.displayName);
  return provider;
}

/** A provider's answer within what we can store, show and keep to. */
function boundGrant(grant: DeviceGrant, name: string): DeviceGrant {
  const isSound =
    deviceCode.safeParse(grant.deviceCode).success &&
    isPlainLine(grant.userCode) &&
    grant.userCode.length <= 255;
  if (!isSound) {
    throw new ProviderFailure(`${name} gave a code that does not follow RFC 8628.`, { transient: true });
  }
  return {
    ...grant,
    expiresIn: Math.min(grant.expiresIn, LONGEST_LIFE_S),
    interval: Math.min(grant.interval, LONGEST_LIFE_S),
  };
}

async function findPending(
  { db, clock }: Runtime,
  owner: { userId: string; providerId: string },
  code: string | null,
): Promise<DeviceAuthorization> {
  if (code === null) {
    const latest = await db.deviceAuthorization.findFirst({
      where: { ...owner, expiresAt: { gt: clock() } },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    });
    if (latest) return latest;
    throw new DeviceRefused(
      'expired_token',
      'No sign-in with a code waits at this provider: it has expired, was used, or was not started. Start again.',
    );
  }
  const userId_providerId_deviceCodeHash = { ...owner, deviceCodeHash: sha256(code) };
  const named = await db.deviceAuthorization.findUnique({ where: { userId_providerId_deviceCodeHash } });
  if (!named) throw new DeviceRefused('expired_token');
  return named;
}

/**
 * Takes the right to ask the provider now. Of several at once one gets it, in whichever process; it lasts for as long
 * as a poll may take, so that a poll which crashes blocks the code no longer.
 */
async function claimPoll(
  { db }: Runtime,
  { id, interval }: DeviceAuthorization,
  now: Date,
): Promise<boolean> {
  const { count } = await db.deviceAuthorization.updateMany({
    where: { id, nextPollAt: { lte: now }, expiresAt: { gt: now } },
    data: { nextPollAt: new Date(now.getTime() + interval * 1_000 + POLL_MS) },
  });
  return count === 1;
}

/** The client's own fault: it waits longer, but not for ever, or two windows at once would never get an answer. */
async function slowDown({ db }: Runtime, { id }: DeviceAuthorization): Promise<void> {
  await db.$executeRaw`
    UPDATE device_authorizations
    SET "interval" = "interval" + ${SLOW_DOWN_S}::int, next_poll_at = next_poll_at + ${SLOW_DOWN_S}::int * interval '1 second'
    WHERE id = ${id}::uuid AND "interval" < ${LONGEST_PACE_S}::int`;
}

async function poll(
  runtime: Runtime,
  provider: Provider,
  pending: DeviceAuthorization,
  claimedAt: Date,
): Promise<TokenSet> {
  try {
    return await provider.pollDevice(runtime.keyring.decrypt(pending.deviceCode, placeOf(pending.id)));
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    const { oauthError, transient, message, retryAfterMs } = error;
    if (oauthError === 'authorization_pending' || oauthError === 'slow_down') {
      await pace(runtime, pending, claimedAt, oauthError === 'slow_down' ? SLOW_DOWN_S : 0, retryAfterMs);
      throw new DeviceRefused(oauthError);
    }
    if (transient || oauthError === null) {
      // RFC 8628 section 3.5 asks for an exponential back-off when the provider cannot be reached.
      const backOff = Math.max(0, Math.min(pending.interval, LONGEST_PACE_S - pending.interval));
      await pace(runtime, pending, claimedAt, backOff, retryAfterMs);
      throw error;
    }
    await forget(runtime, pending);
    throw new DeviceRefused(oauthError, MEANINGS[oauthError] ?? message, error);
  }
}

/**
 * Sets when the provider may be asked again. In the database's own arithmetic: the interval may have grown meanwhile.
 *
 * @param moreSeconds by how much the interval grows
 */
async function pace(
  { db }: Runtime,
  { id }: DeviceAuthorization,
  claimedAt: Date,
  moreSeconds: number,
  retryAfterMs: number | null,
): Promise<void> {
  const earliest = new Date(claimedAt.getTime() + Math.min(retryAfterMs ?? 0, LONGEST_LIFE_S * 1_000));
  await db.$executeRaw`
    UPDATE device_authorizations
    SET "interval" = "interval" + ${moreSeconds}::int,
      next_poll_at = greatest(
        ${claimedAt}::timestamptz + ("interval" + ${moreSeconds}::int) * interval '1 second',
        ${earliest}::timestamptz
      )
    WHERE id = ${id}::uuid`;
}

async function forget({ db }: Runtime, { id }: DeviceAuthorization): Promise<void> {
  await db.deviceAuthorization.deleteMany({ where: { id } });
}

function placeOf(row: string) {
  return { table: 'device_authorizations', column: 'device_code', row };
}
