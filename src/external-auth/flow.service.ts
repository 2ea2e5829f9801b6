import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { grants, isScope } from '../auth/scopes.ts';
import type { Viewer } from '../auth/viewer.ts';
import { newId } from '../db/new-id.ts';
import { DomainError } from '../errors.ts';
import type { ExternalAuthFlow, Prisma } from '../generated/prisma/client.ts';
import { localPath } from '../http/local-path.ts';
import { parseInput } from '../input.ts';
import type { Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import { keepTokens } from './keep-tokens.ts';
import { callbackUrl } from './provider-registry.ts';
import type { Provider } from './providers/provider.ts';
import { requireProvider } from './require-provider.ts';

/** Why a web flow cannot go on, and the status of the page that says so. */
const REFUSALS = {
  /** There is no such flow, or it was cleaned up: as RFC 6749 section 10.12 has it, a state that is not ours. */
  UNKNOWN: [401, 'This sign-in is unknown, or so old that it was forgotten.'],
  EXPIRED: [410, 'This sign-in took too long, and has expired.'],
  USED: [409, 'This sign-in was used already, and works only once.'],
  /** Its token was revoked or has expired, or its user is disabled. */
  ENDED: [403, 'Whoever started this sign-in may not link accounts any more.'],
  OTHER_BROWSER: [401, 'This sign-in was not started in this browser.'],
  OTHER_USER: [403, 'This sign-in was started by another user than the one who is signed in here.'],
  OTHER_PROVIDER: [401, 'This sign-in was started with another provider.'],
  SIGNED_OUT: [401, 'You were signed out of Gatehouse meanwhile.'],
} as const;

export type FlowRefusal = keyof typeof REFUSALS;

export class FlowRefused extends DomainError {
  readonly refusal: FlowRefusal;

  constructor(refusal: FlowRefusal) {
    const [status, message] = REFUSALS[refusal];
    super(`EXTERNAL_AUTH_FLOW_${refusal}`, status, message);
    this.refusal = refusal;
  }
}

/** From leaving for the provider, or opening a ticket, to the callback. */
export const FLOW_MS = 600_000;
/** From a front end's question to the browser's arrival. */
const TICKET_MS = 120_000;
/** An expired flow is kept for a while, so that whoever comes late hears why. */
const REMEMBERED_MS = 3_600_000;
/** Of one user. A further one takes the place of the oldest. */
const MAX_PENDING = 50;
/** How many that are to be forgotten a new one clears away. */
const CLEANED_AT_ONCE = 100;

/** A flow as its browser knows it. */
export interface BoundFlow {
  id: string;
  /** What the browser keeps in a cookie; we keep its hash. */
  browserSecret: string;
}

const withOwner = {
  user: { select: { username: true, disabledAt: true } },
  token: { select: { scopes: true, expiresAt: true } },
} satisfies Prisma.ExternalAuthFlowInclude;

export type OwnedFlow = Prisma.ExternalAuthFlowGetPayload<{ include: typeof withOwner }>;

/**
 * Starts a flow in the browser of a viewer.
 *
 * @param redirectTo where to end, a local path
 * @returns where to send the browser now
 * @throws ProviderFailure when its endpoints cannot be discovered
 */
export async function startFlow(
  runtime: Runtime,
  viewer: Viewer,
  provider: Provider,
  redirectTo: string,
): Promise<BoundFlow & { url: URL }> {
  const id = newId();
  const browserSecret = randomSecret();
  const { url, departure } = await prepareDeparture(runtime, provider, id);
  await storeFlow(runtime, viewer, provider, {
    id,
    redirectTo,
    browserHash: sha256(browserSecret),
    expiresAt: after(runtime, FLOW_MS),
    ...departure,
  });
  return { id, browserSecret, url };
}

const ticketInput = z.object({
  redirectTo: z
    .string('Redirect takes text.')
    .refine(
      (path) => localPath(path, '') === path && path !== '',
      'Redirect takes a path of this server, such as "/", without a host.',
    )
    .nullish(),
});

/**
 * Prepares a flow for a front end that has the viewer's token, but not their browser's cookies.
 *
 * @returns an address for the browser: it works once, within two minutes
 * @throws InvalidInput
 * @throws NotFound
 * @throws ProviderFailure when its endpoints cannot be discovered
 */
export async function issueTicket(
  runtime: Runtime,
  viewer: Viewer,
  { providerId, ...input }: { providerId: string; redirectTo?: string | null },
): Promise<URL> {
  const { redirectTo } = parseInput(ticketInput, input);
  const provider = requireProvider(runtime, providerId);
  const id = newId();
  const ticket = randomSecret();
  // Better said here, to the front end, than on a page after it.
  await prepareDeparture(runtime, provider, id);
  await storeFlow(runtime, viewer, provider, {
    id,
    redirectTo: redirectTo ?? '/',
    ticketHash: sha256(ticket),
    expiresAt: after(runtime, TICKET_MS),
  });
  const url = new URL(`${runtime.config.http.publicUrl}/external-auth/${provider.settings.id}/start`);
  url.searchParams.set('ticket', ticket);
  return url;
}

/**
 * Takes a ticket, and binds its flow to the browser that brought it. Whether that browser's person means to link
 * their account to the ticket's user is not known by that: see trusted-navigation.ts.
 *
 * @param viewer who is signed in there
 * @throws FlowRefused
 */
export async function openTicket(
  runtime: Runtime,
  viewer: Viewer | null,
  provider: Provider,
  ticket: string,
): Promise<BoundFlow & { username: string }> {
  const flow = await runtime.db.externalAuthFlow.findUnique({
    where: { ticketHash: sha256(ticket) },
    include: withOwner,
  });
  if (!flow) throw new FlowRefused('UNKNOWN');
  checkFlow(runtime, viewer, provider, flow);
  const browserSecret = randomSecret();
  const { count } = await runtime.db.externalAuthFlow.updateMany({
    where: { id: flow.id, browserHash: null, expiresAt: { gt: runtime.clock() } },
    data: { browserHash: sha256(browserSecret), expiresAt: after(runtime, FLOW_MS) },
  });
  if (count === 0) throw new FlowRefused('USED');
  return { id: flow.id, browserSecret, username: flow.user.username };
}

/**
 * Lets the browser of an opened ticket leave for the provider. A second time counts, too: a button is easily pressed
 * twice, and the state of before is worth nothing then.
 *
 * @throws FlowRefused
 * @throws ProviderFailure
 */
export async function leaveWithTicket(
  runtime: Runtime,
  viewer: Viewer | null,
  provider: Provider,
  { id, browserSecret }: BoundFlow,
): Promise<URL> {
  const browserHash = sha256(browserSecret);
  const flow = await runtime.db.externalAuthFlow.findFirst({
    where: { id, browserHash },
    include: withOwner,
  });
  if (!flow) throw new FlowRefused('OTHER_BROWSER');
  checkFlow(runtime, viewer, provider, flow);
  const { url, departure } = await prepareDeparture(runtime, provider, id);
  const { count } = await runtime.db.externalAuthFlow.updateMany({
    where: { id, browserHash, usedAt: null, expiresAt: { gt: runtime.clock() } },
    data: departure,
  });
  if (count === 0) throw new FlowRefused('USED');
  return url;
}

/**
 * The flow that a callback's `state` belongs to. The caller clears its cookie, whatever comes next.
 *
 * @throws FlowRefused
 */
export async function findFlow({ db }: Runtime, state: string): Promise<OwnedFlow> {
  const flow = await db.externalAuthFlow.findUnique({
    where: { stateHash: sha256(state) },
    include: withOwner,
  });
  if (!flow) throw new FlowRefused('UNKNOWN');
  return flow;
}

/** What the browser brought to the callback. */
export interface Callback {
  /** Its address with all its parameters. */
  url: URL;
  viewer: Viewer | null;
  /** The flow's cookie; null when the browser has none. */
  browserSecret: string | null;
  requestId: string;
}

/**
 * Exchanges what the provider sent the browser back with, once, and links the account.
 *
 * @returns the local path to go on to
 * @throws FlowRefused
 * @throws ProviderFailure also when the person or the provider said no: then the callback has an `error`
 */
export async function finishFlow(
  runtime: Runtime,
  provider: Provider,
  flow: OwnedFlow,
  { url, viewer, browserSecret, requestId }: Callback,
): Promise<string> {
  const { browserHash, usedAt, expiresAt } = flow;
  const now = runtime.clock();
  if (browserSecret === null || browserHash === null || !isHashOf(browserHash, browserSecret)) {
    // The cookie goes when the flow is used, or has expired: that is then what there is to say.
    throw new FlowRefused(usedAt ? 'USED' : expiresAt <= now ? 'EXPIRED' : 'OTHER_BROWSER');
  }
  checkFlow(runtime, viewer, provider, flow);
  // With a ticket, the front end holds the token, and the browser has nothing but the flow's own cookie.
  if (flow.ticketHash === null && viewer === null) throw new FlowRefused('SIGNED_OUT');
  const { count } = await runtime.db.externalAuthFlow.updateMany({
    where: { id: flow.id, usedAt: null, expiresAt: { gt: now } },
    data: { usedAt: now, codeVerifier: null },
  });
  if (count === 0) throw new FlowRefused('USED');

  const exchange = provider.exchangeCode(url, {
    redirectUri: callbackUrl(runtime.config.http.publicUrl, provider.settings.id),
    state: url.searchParams.get('state') ?? '',
    codeVerifier: flow.codeVerifier && runtime.keyring.decrypt(flow.codeVerifier, placeOf(flow.id)),
  });
  const actor = { userId: flow.userId, tokenId: flow.tokenId, requestId };
  await keepTokens(runtime, actor, provider, exchange);
  return flow.redirectTo;
}

/** What has to hold at each step of a flow. */
function checkFlow({ clock }: Runtime, viewer: Viewer | null, provider: Provider, flow: OwnedFlow): void {
  const now = clock();
  if (flow.providerId !== provider.settings.id) throw new FlowRefused('OTHER_PROVIDER');
  if (viewer !== null && viewer.user.id !== flow.userId) throw new FlowRefused('OTHER_USER');
  if (flow.usedAt !== null) throw new FlowRefused('USED');
  if (flow.expiresAt <= now) throw new FlowRefused('EXPIRED');
  const { user, token } = flow;
  const scopes = new Set(token.scopes.filter(isScope));
  const hasEnded = user.disabledAt !== null || (token.expiresAt !== null && token.expiresAt <= now);
  if (hasEnded || !grants(scopes, 'external_auth:write')) throw new FlowRefused('ENDED');
}

/** A state of its own for each departure, and a code verifier where the provider takes one (RFC 7636). */
async function prepareDeparture(
  { config, keyring }: Runtime,
  provider: Provider,
  flowId: string,
): Promise<{
  url: URL;
  departure: Pick<ExternalAuthFlow, 'codeVerifier'> & { stateHash: Uint8Array<ArrayBuffer> };
}> {
  const state = randomSecret();
  const codeVerifier = provider.settings.pkce ? randomSecret() : null;
  const redirectUri = callbackUrl(config.http.publicUrl, provider.settings.id);
  const url = await provider.authorizationUrl({ redirectUri, state, codeVerifier });
  return {
    url,
    departure: {
      stateHash: sha256(state),
      codeVerifier: codeVerifier && keyring.encrypt(codeVerifier, placeOf(flowId)),
    },
  };
}

async function storeFlow(
  { db, clock }: Runtime,
  { user, tokenId }: Viewer,
  provider: Provider,
  flow: Omit<Prisma.ExternalAuthFlowUncheckedCreateInput, 'userId' | 'tokenId' | 'providerId'>,
): Promise<void> {
  const userId = user.id;
  await db.externalAuthFlow.create({ data: { ...flow, userId, tokenId, providerId: provider.settings.id } });
  const forgotten = new Date(clock().getTime() - REMEMBERED_MS);
  await db.externalAuthFlow.deleteMany({ where: { expiresAt: { lte: forgotten } }, limit: CLEANED_AT_ONCE });
  const tooMany = await db.externalAuthFlow.findMany({
    where: { userId },
    orderBy: { id: 'desc' },
    skip: MAX_PENDING,
    select: { id: true },
  });
  if (tooMany.length > 0) {
    await db.externalAuthFlow.deleteMany({ where: { id: { in: tooMany.map(({ id }) => id) } } });
  }
}

/** Both are of 256 random bits: how long the comparison takes tells nothing. */
function isHashOf(hash: Uint8Array, secret: string): boolean {
  return Buffer.from(sha256(secret)).equals(hash);
}

/** 256 random bits. */
function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

function after({ clock }: Runtime, ms: number): Date {
  return new Date(clock().getTime() + ms);
}

function placeOf(row: string) {
  return { table: 'external_auth_flows', column: 'code_verifier', row };
}
