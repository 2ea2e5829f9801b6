import { z } from 'zod';
import { recordAudit } from '../audit/record.ts';
import { allScopes, grants, type Scope } from '../auth/scopes.ts';
import type { Actor } from '../auth/viewer.ts';
import type { Transaction } from '../db/client.ts';
import { isUniqueConflict } from '../db/unique-conflict.ts';
import { DomainError, InvalidInput, NotFound } from '../errors.ts';
import type { ApiToken, User } from '../generated/prisma/client.ts';
import { line, parseInput } from '../input.ts';
import type { Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import { mintSecret, visiblePrefix } from '../secrets/mint.ts';

export class UsernameTaken extends DomainError {
  constructor(username: string) {
    super('USERNAME_TAKEN', 409, `There is a user "${username}" already.`, { path: ['input', 'username'] });
  }
}

const newUser = z.object({
  username: z
    .string()
    .regex(
      /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
      'Username takes 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and begins and ends with a letter or digit.',
    ),
  displayName: line('Display name', 128).nullish(),
  email: z.email('Email takes an address such as ada@example.com.').max(254).nullish(),
});

export type NewUser = z.input<typeof newUser>;

/**
 * @throws InvalidInput
 * @throws UsernameTaken
 */
export async function createUser({ db }: Runtime, input: NewUser): Promise<User> {
  const data = parseInput(newUser, input);
  try {
    return await db.$transaction((tx) => insertUser(tx, data));
  } catch (error) {
    if (isUniqueConflict(error, 'username')) throw new UsernameTaken(data.username);
    throw error;
  }
}

/** Writes a user and the audit row of that. */
export async function insertUser(tx: Transaction, data: NewUser): Promise<User> {
  const user = await tx.user.create({ data });
  await recordAudit(tx, systemActor(user.id), {
    action: 'user.create',
    targetType: 'user',
    targetId: user.id,
    details: { username: user.username },
  });
  return user;
}

/**
 * Disables a user, or enables them again. Nothing is deleted; tokens stop and go on working at once.
 *
 * @throws NotFound
 */
export async function setUserDisabled(runtime: Runtime, username: string, disabled: boolean): Promise<User> {
  const changed = await runtime.db.$transaction(async (tx) => {
    const user = await tx.user.findUnique({ where: { username } });
    if (!user) throw new NotFound(`The user "${username}"`);
    await recordAudit(tx, systemActor(user.id), {
      action: disabled ? 'user.disable' : 'user.enable',
      targetType: 'user',
      targetId: user.id,
    });
    return tx.user.update({
      where: { id: user.id },
      data: { disabledAt: disabled ? runtime.clock() : null },
    });
  });
  runtime.notifications.publish({ kind: 'api_tokens', userId: changed.id });
  return changed;
}

const newApiToken = z.object({
  name: line('Name', 128),
  scopes: z
    .array(z.enum(allScopes, `Scopes takes some of: ${allScopes.join(', ')}.`))
    .min(1, 'Scopes must name at least one scope.')
    .transform((scopes) => [...new Set(scopes)]),
  expiresAt: z.date().nullish(),
});

export type NewApiToken = z.input<typeof newApiToken>;

/**
 * Makes a token. The token itself is in the answer and nowhere else.
 *
 * @param holder the scopes of whoever asks: nobody gives away more than they hold; null for the command line
 * @throws InvalidInput
 */
export async function createApiToken(
  runtime: Runtime,
  actor: Actor,
  holder: ReadonlySet<Scope> | null,
  input: NewApiToken,
): Promise<{ apiToken: ApiToken; token: string }> {
  const { name, scopes, expiresAt } = parseInput(newApiToken, input);
  if (expiresAt && expiresAt <= runtime.clock()) {
    throw new InvalidInput([{ path: ['input', 'expiresAt'], message: 'Expiry must be in the future.' }]);
  }
  const excess = holder ? scopes.filter((scope) => !grants(holder, scope)) : [];
  if (excess.length > 0) {
    throw new InvalidInput([
      {
        path: ['input', 'scopes'],
        message: `Your own token lacks ${excess.join(', ')}, so it cannot give that away.`,
      },
    ]);
  }
  const token = mintSecret('gth_');
  const apiToken = await runtime.db.$transaction((tx) =>
    insertApiToken(tx, actor, token, { name, scopes, expiresAt: expiresAt ?? null }),
  );
  return { apiToken, token };
}

/** Writes a token that is given, by its hash, and the audit row of that. */
export async function insertApiToken(
  tx: Transaction,
  actor: Actor,
  token: string,
  { name, scopes, expiresAt }: { name: string; scopes: Scope[]; expiresAt: Date | null },
): Promise<ApiToken> {
  const apiToken = await tx.apiToken.create({
    data: {
      userId: actor.userId,
      name,
      scopes,
      expiresAt,
      tokenHash: sha256(token),
      prefix: visiblePrefix(token),
    },
  });
  await recordAudit(tx, actor, {
    action: 'api_token.create',
    targetType: 'api_token',
    targetId: apiToken.id,
    details: { name, scopes },
  });
  return apiToken;
}

/**
 * Revokes one of the actor's own tokens, at once and for good.
 *
 * @throws NotFound
 */
export async function revokeApiToken(
  { db, notifications }: Runtime,
  actor: Actor,
  id: string,
  path?: string[],
): Promise<ApiToken> {
  const revoked = await db.$transaction(async (tx) => {
    const [apiToken] = await tx.apiToken.findMany({ where: { id, userId: actor.userId } });
    const { count } = await tx.apiToken.deleteMany({ where: { id, userId: actor.userId } });
    if (!apiToken || count === 0) throw new NotFound('The token', path);
    await recordAudit(tx, actor, {
      action: 'api_token.revoke',
      targetType: 'api_token',
      targetId: id,
      details: { name: apiToken.name },
    });
    return apiToken;
  });
  notifications.publish({ kind: 'api_tokens', userId: actor.userId });
  return revoked;
}

/** The command line and the service itself act on a user's account without a token. */
export function systemActor(userId: string): Actor {
  return { userId, tokenId: null, requestId: null };
}
