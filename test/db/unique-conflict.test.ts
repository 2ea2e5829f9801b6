import { describe, expect, it } from 'vitest';
import { createUser, UsernameTaken } from '../../src/accounts/accounts.service.ts';
import { isUniqueConflict } from '../../src/db/unique-conflict.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();

describe('a unique constraint', () => {
  // The adapter tells the name of the constraint alone; its columns were looked for, and no conflict was known.
  it('is known by its column', async () => {
    const { username } = await gateway.user();
    await expect(createUser(gateway.runtime, { username })).rejects.toThrow(UsernameTaken);
  });

  it('of several columns is known by all of them, in their order', async () => {
    const { id: userId } = await gateway.user();
    const link = { userId, providerId: 'forge', accessToken: 'x' };
    await gateway.runtime.db.externalAuthLink.create({ data: link });
    const error = await gateway.runtime.db.externalAuthLink.create({ data: link }).catch((thrown) => thrown);
    expect(isUniqueConflict(error, 'user_id', 'provider_id')).toBe(true);
    for (const columns of [['user_id'], ['provider_id'], ['provider_id', 'user_id'], []]) {
      expect(isUniqueConflict(error, ...columns), columns.join()).toBe(false);
    }
  });

  it('is no other error', () => {
    expect(isUniqueConflict(new Error('Unique constraint failed'), 'username')).toBe(false);
    expect(isUniqueConflict(undefined, 'username')).toBe(false);
  });
});
