import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { insertAudited } from '../audit/insert-audited.ts';
import { recordAudit } from '../audit/record.ts';
import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';
import { newId } from '../db/new-id.ts';
import { DomainError, type InputIssue, InvalidInput, NotFound } from '../errors.ts';
import type { OAuthApp, OAuthAppSecret, Prisma } from '../generated/prisma/client.ts';
import { line, paragraph, parseInput } from '../input.ts';
import type { Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import { mintSecret, visiblePrefix } from '../secrets/mint.ts';
import { faultOfHomepageUrl } from './homepage-url.ts';
import { faultOfRedirectUri, faultsOfRedirectUris, isPrivateUse } from './redirect-uri.ts';

const HOUR_MS = 60 * 60 * 1_000;

/** An app without any secret could not be asked for one: its users would be locked out. */
export class LastOAuthAppSecret extends DomainError {
  constructor() {
    super(
      'LAST_OAUTH_APP_SECRET',
      409,
      "This is the app's only secret. Rotate it instead: a new one takes its place.",
      { path: ['input', 'id'] },
    );
  }
}

const name = line('Name', 255);
const description = paragraph('Description', 2_000);
const homepageUrl = address('Homepage URL', faultOfHomepageUrl);
const redirectUris = z
  .array(z.string('Redirect URI takes text.').trim(), 'Redirect URIs take a list of texts.')
  .superRefine((uris, context) => {
    for (const { index, message } of faultsOfRedirectUris(uris)) {
      context.addIssue({ code: 'custom', message, path: index === null ? [] : [index] });
    }
  });
const standalone = z.boolean('Standalone takes true or false.');

const newOAuthApp = z.object({
  name,
  description: description.nullish(),
  homepageUrl,
  redirectUris,
  standalone: standalone.nullish(),
});

const oauthAppChange = z
  .object({
    name: name.optional(),
    description: description.nullable().optional(),
    homepageUrl: homepageUrl.optional(),
    redirectUris: redirectUris.optional(),
    firstRedirectUri: address('Redirect URI', faultOfRedirectUri).optional(),
    standalone: standalone.optional(),
  })
  .refine(
    (change) => Object.values(change).some((value) => value !== undefined),
    'Name what to change: the name, the description, the homepage, the redirect URIs, or whether the app is standalone.',
  )
  .refine(({ redirectUris, firstRedirectUri }) => !redirectUris || !firstRedirectUri, {
    path: ['firstRedirectUri'],
    message: 'Name either all redirect URIs or the first, not both.',
  });

export type NewOAuthApp = z.input<typeof newOAuthApp>;

/** What is absent stays as it is. */
export interface OAuthAppChange {
  name?: string | null;
  /** Null: empty. */
  description?: string | null;
  homepageUrl?: string | null;
  redirectUris?: string[] | null;
  /** Takes the first one's place; the others stay. */
  firstRedirectUri?: string | null;
  standalone?: boolean | null;
}

/** A secret that was just made, with its plain text: the only time that it leaves with certainty. */
export interface NewSecret {
  oauthApp: OAuthApp;
  secret: OAuthAppSecret;
  clientSecret: string;
}

/**
 * Registers an app of the actor's, with a client id and a first secret.
 *
 * @throws InvalidInput
 */
export async function createOAuthApp(runtime: Runtime, actor: Actor, input: NewOAuthApp): Promise<NewSecret> {
  const { description, standalone, ...rest } = parseInput(newOAuthApp, input);
  const data = { ...rest, description: description ?? '', standalone: standalone ?? false };
  refuseForeignSchemes(data, ['input', 'redirectUris']);
  const app = { ...data, id: newId(), userId: actor.userId, clientId: randomUUID() };
  const { clientSecret, row } = newSecret(runtime, app.id);
  const [oauthApp, secret] = await insertAudited(
    runtime.db,
    actor,
    [
      { model: 'OAuthApp', data: app },
      { model: 'OAuthAppSecret', data: row },
    ],
    {
      action: 'oauth_app.create',
      targetType: 'oauth_app',
      targetId: app.id,
      details: { ...data, clientId: app.clientId, secret: row.prefix },
    },
  );
  return { oauthApp, secret, clientSecret };
}

/**
 * Changes what the owner decides about one of the actor's own apps. The client id and the secrets stay.
 *
 * @throws InvalidInput
 * @throws NotFound
 */
export async function updateOAuthApp(
  { db }: Runtime,
  actor: Actor,
  id: string,
  input: OAuthAppChange,
): Promise<OAuthApp> {
  const { description, firstRedirectUri, ...rest } = parseInput(oauthAppChange, input);
  const where = { id, userId: actor.userId };
  return db.$transaction(async (tx) => {
    await lockApp(tx, where, new NotFound('The OAuth app', ['input', 'id']));
    const app = await tx.oAuthApp.findUniqueOrThrow({ where });
    const data = {
      ...rest,
      ...(description !== undefined && { description: description ?? '' }),
      ...(firstRedirectUri !== undefined && {
        redirectUris: replaceFirst(app.redirectUris, firstRedirectUri),
      }),
    };
    refuseForeignSchemes(
      { redirectUris: data.redirectUris ?? app.redirectUris, standalone: data.standalone ?? app.standalone },
      rest.redirectUris && ['input', 'redirectUris'],
      firstRedirectUri === undefined ? undefined : ['input', 'firstRedirectUri'],
    );
    const oauthApp = await tx.oAuthApp.update({ where, data });
    await recordAudit(tx, actor, {
      action: 'oauth_app.update',
      targetType: 'oauth_app',
      targetId: id,
      details: { ...data, clientId: oauthApp.clientId },
    });
    return oauthApp;
  });
}

/**
 * Deletes one of the actor's own apps with its secrets, at once and for good.
 *
 * @throws NotFound
 */
export async function deleteOAuthApp({ db }: Runtime, actor: Actor, id: string): Promise<void> {
  const where = { id, userId: actor.userId };
  await db.$transaction(async (tx) => {
    const [app] = await tx.oAuthApp.findMany({ where });
    const { count } = await tx.oAuthApp.deleteMany({ where });
    if (!app || count === 0) throw new NotFound('The OAuth app', ['input', 'id']);
    await recordAudit(tx, actor, {
      action: 'oauth_app.delete',
      targetType: 'oauth_app',
      targetId: id,
      details: { name: app.name, clientId: app.clientId },
    });
  });
}

/**
 * Gives one of the actor's own apps a new secret. The one before works on for the configured hours, so that the app
 * can be told the new one without an outage; one that was on its way out already ends at once.
 *
 * @throws NotFound
 */
export async function rotateOAuthAppSecret(runtime: Runtime, actor: Actor, id: string): Promise<NewSecret> {
  const where = { id, userId: actor.userId };
  const { rotationGraceHours } = runtime.config.oauthApps;
  return runtime.db.$transaction(async (tx) => {
    await lockApp(tx, where, new NotFound('The OAuth app', ['input', 'id']));
    const graceEnd = new Date(runtime.clock().getTime() + rotationGraceHours * HOUR_MS);
    // What has an end is expired, or was on its way out. Without grace the current one goes, too.
    await tx.oAuthAppSecret.deleteMany({
      where: { appId: id, ...(rotationGraceHours > 0 && { expiresAt: { not: null } }) },
    });
    const [previous] = await tx.oAuthAppSecret.updateManyAndReturn({
      where: { appId: id },
      data: { expiresAt: graceEnd },
    });
    const { clientSecret, row } = newSecret(runtime, id);
    const secret = await tx.oAuthAppSecret.create({ data: row });
    const oauthApp = await tx.oAuthApp.findUniqueOrThrow({ where });
    await recordAudit(tx, actor, {
      action: 'oauth_app_secret.rotate',
      targetType: 'oauth_app',
      targetId: id,
      details: {
        name: oauthApp.name,
        clientId: oauthApp.clientId,
        secret: secret.prefix,
        previousSecret: previous?.prefix ?? null,
        previousEndsAt: previous?.expiresAt?.toISOString() ?? null,
      },
    });
    return { oauthApp, secret, clientSecret };
  });
}

/**
 * Revokes one of the two live secrets of one of the actor's own apps, at once and for good. The other one stays; when
 * it had an end, because of the rotation that this takes back, it has none any more.
 *
 * @throws NotFound also when the secret has expired
 * @throws LastOAuthAppSecret
 */
export async function revokeOAuthAppSecret({ db, clock }: Runtime, actor: Actor, id: string): Promise<void> {
  const { userId } = actor;
  const notFound = new NotFound('The secret', ['input', 'id']);
  await db.$transaction(async (tx) => {
    const found = await tx.oAuthAppSecret.findUnique({ where: { id, app: { userId } } });
    if (!found) throw notFound;
    const app = { id: found.appId, userId };
    await lockApp(tx, app, notFound);
    // What was live before the lock need not be so now.
    const live = await tx.oAuthAppSecret.findMany({ where: { appId: app.id, ...isLive(clock()) } });
    const secret = live.find((secret) => secret.id === id);
    const other = live.find((secret) => secret.id !== id);
    if (!secret) throw notFound;
    if (!other) throw new LastOAuthAppSecret();
    await tx.oAuthAppSecret.delete({ where: { id } });
    await tx.oAuthAppSecret.update({ where: { id: other.id }, data: { expiresAt: null } });
    const { name, clientId } = await tx.oAuthApp.findUniqueOrThrow({ where: app });
    await recordAudit(tx, actor, {
      action: 'oauth_app_secret.revoke',
      targetType: 'oauth_app',
      targetId: app.id,
      details: { name, clientId, secret: secret.prefix, remainingSecret: other.prefix },
    });
  });
}

/** A condition on the secrets that work right now. */
export function isLive(now: Date): Prisma.OAuthAppSecretWhereInput {
  return { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
}

/**
 * The plain text of a stored secret, as the documented reads return it.
 *
 * @returns null when the operator has turned that off
 * @throws SecretUnreadable
 */
export function readClientSecret(
  { config, keyring }: Runtime,
  { id, secret }: Pick<OAuthAppSecret, 'id' | 'secret'>,
): string | null {
  return config.oauthApps.secretReads === 'full' ? keyring.decrypt(secret, placeOf(id)) : null;
}

/**
 * Changes of one app take turns: two rotations at once would leave three secrets, and two changes of its redirect
 * URIs one change.
 *
 * @throws the given error when the actor has no such app
 */
async function lockApp(
  tx: Transaction,
  { id, userId }: { id: string; userId: string },
  notFound: NotFound,
): Promise<void> {
  const locked = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM oauth_apps WHERE id = ${id}::uuid AND user_id = ${userId}::uuid FOR UPDATE`;
  if (locked.length === 0) throw notFound;
}

/**
 * The documentation shows a UUID for a client secret, and its clients take any text. So it has the form of all secrets
 * that we issue: `gts_`, 256 random bits instead of 122, and a checksum, by which scanners know one that leaked.
 */
function newSecret({ clock, keyring }: Runtime, appId: string) {
  const id = newId();
  const clientSecret = mintSecret('gts_');
  const row = {
    id,
    appId,
    secret: keyring.encrypt(clientSecret, placeOf(id)),
    secretHash: sha256(clientSecret),
    prefix: visiblePrefix(clientSecret),
    createdAt: clock(),
  };
  return { clientSecret, row };
}

function placeOf(row: string) {
  return { table: 'oauth_app_secrets', column: 'secret', row };
}

/**
 * Any app on a device can claim a scheme of its own. Without a secret and with PKCE that does no harm (RFC 8252
 * section 8.1); an app with a server part has an address for it.
 *
 * @param list where the input names all redirect URIs
 * @param first where it names the first alone
 * @throws InvalidInput
 */
function refuseForeignSchemes(
  { redirectUris, standalone }: Pick<OAuthApp, 'redirectUris' | 'standalone'>,
  list?: string[],
  first?: string[],
): void {
  if (standalone) return;
  const issues = redirectUris.flatMap((uri, index): InputIssue[] => {
    if (!isPrivateUse(uri)) return [];
    if (list || (first && index === 0)) {
      const path = list ? [...list, String(index)] : (first ?? []);
      return [
        { path, message: 'Redirect URI takes https or http: only a standalone app has a scheme of its own.' },
      ];
    }
    const message = `Standalone must stay true for the redirect URI ${uri}.`;
    return [{ path: ['input', 'standalone'], message }];
  });
  const [issue, ...others] = issues;
  if (issue) throw new InvalidInput([issue, ...others]);
}

function replaceFirst(redirectUris: string[], first: string): string[] {
  return [first, ...redirectUris.slice(1).filter((uri) => uri !== first)];
}

/** A text with a check of its own, which says at once what is wrong with it. */
function address(what: string, faultOf: (text: string) => string | null) {
  return z
    .string(`${what} takes text.`)
    .trim()
    .superRefine((text, context) => {
      const fault = faultOf(text);
      if (fault !== null) context.addIssue(fault);
    });
}
