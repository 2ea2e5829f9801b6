import type { Runtime } from '../runtime.ts';
import { mintSecret } from '../secrets/mint.ts';
import { createUser, storeApiToken, systemActor, UsernameTaken } from './accounts.service.ts';

/**
 * On the first start, without any user, makes `admin` and one token.
 *
 * @returns the token to print once; null when there were users, or the token is the one of the configuration
 */
export async function bootstrap(runtime: Runtime): Promise<string | null> {
  if (await runtime.db.user.findFirst({ select: { id: true } })) return null;
  const { bootstrapToken } = runtime.config;
  const token = bootstrapToken ?? mintSecret('gth_');
  try {
    const admin = await createUser(runtime, { username: 'admin', displayName: 'Administrator' });
    await storeApiToken(runtime, systemActor(admin.id), token, {
      name: 'first start',
      scopes: ['admin'],
      expiresAt: null,
    });
  } catch (error) {
    // Another replica was faster.
    if (error instanceof UsernameTaken) return null;
    throw error;
  }
  return bootstrapToken ? null : token;
}
