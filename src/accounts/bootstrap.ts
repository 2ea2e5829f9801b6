import { isUniqueConflict } from '../db/unique-conflict.ts';
import type { Runtime } from '../runtime.ts';
import { mintSecret } from '../secrets/mint.ts';
import { insertApiToken, insertUser, systemActor } from './accounts.service.ts';

/** The token of the first user. */
export interface FirstToken {
  token: string;
  /** Whether it is the one of GATEHOUSE_BOOTSTRAP_TOKEN, which whoever set it knows already. */
  fromSettings: boolean;
}

/**
 * On the first start, without any user, makes `admin` and one token: both or neither, and once, however many
 * replicas start.
 *
 * @returns null when there were users
 */
export async function bootstrap({ db, config }: Runtime): Promise<FirstToken | null> {
  const { bootstrapToken } = config;
  const token = bootstrapToken ?? mintSecret('gth_');
  try {
    return await db.$transaction(async (tx) => {
      if (await tx.user.findFirst({ select: { id: true } })) return null;
      // Another replica that is here, too, waits for the unique name, and then finds it taken.
      const admin = await insertUser(tx, { username: 'admin', displayName: 'Administrator' });
      await insertApiToken(tx, systemActor(admin.id), token, {
        name: 'first start',
        scopes: ['admin'],
        expiresAt: null,
      });
      return { token, fromSettings: bootstrapToken !== null };
    });
  } catch (error) {
    if (isUniqueConflict(error, 'username')) return null;
    throw error;
  }
}
