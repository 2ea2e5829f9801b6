import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { systemActor } from '../../src/accounts/accounts.service.ts';
import { createOwnedRows, jsonShape, type PageKey } from '../../src/db/owned-rows.ts';
import type { SshKey } from '../../src/generated/prisma/client.ts';
import { addSshKey } from '../../src/ssh-keys/ssh-keys.service.ts';
import { useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';

// Pages of many users are read by one statement. Nobody may see that: not in what a page holds, and not in whose.

const gateway = useGateway();
const rowsOf = createOwnedRows<SshKey>({ model: 'SshKey' });
const userIds: string[] = [];
const byUser = new Map<string, SshKey[]>();

beforeAll(async () => {
  const { db } = gateway.runtime;
  for (const keys of [0, 1, 3, 12]) {
    const { id: userId } = await gateway.user();
    userIds.push(userId);
    for (let n = 0; n < keys; n += 1) {
      await db.sshKey.create({
        data: {
          userId,
          title: `ключ "${n}" \\ '; --`,
          type: 'ssh-ed25519',
          publicKey: `ssh-ed25519 ${n}`,
          comment: n % 2 ? '' : '\u{1f511}\n',
          bits: 256,
          blobHash: randomBytes(32),
          expiresAt: n % 3 ? new Date(Date.now() + n) : null,
        },
      });
    }
    byUser.set(userId, await db.sshKey.findMany({ where: { userId }, orderBy: { id: 'desc' } }));
  }
  // Nobody's.
  userIds.push(randomUUID());
});

const pageKey = fc
  .record({
    user: fc.nat(4),
    take: fc.nat(15),
    skip: fc.oneof(fc.constant(0), fc.nat(14)),
    cursor: fc.option(fc.nat(12)),
  })
  .map(({ user, take, skip, cursor }): PageKey => {
    const userId = userIds[user] as string;
    const everybody = [...byUser.values()].flat();
    // A place in the list may be anybody's row.
    const before = cursor === null ? null : (everybody[cursor]?.id ?? randomUUID());
    return { userId, take, skip, before };
  });

/** The page by a plain reading of what it should hold. */
function expected({ userId, take, skip, before }: PageKey): SshKey[] {
  const older = (byUser.get(userId) ?? []).filter(({ id }) => before === null || id < before);
  return older.slice(skip, skip + take);
}

it('are what each asks for, of their own rows only, exactly as Prisma reads them', async () => {
  const { page } = rowsOf(gateway.runtime);
  await fc.assert(
    fc.asyncProperty(fc.array(pageKey, { minLength: 1, maxLength: 100 }), async (keys) => {
      const before = gateway.statements.length;
      const pages = await Promise.all(keys.map((key) => page(key)));
      expect(pages).toEqual(keys.map(expected));
      expect(gateway.statements.length - before).toBe(Math.ceil(keys.length / 64));
    }),
    { numRuns: 60 },
  );
});

it('are the same rows when PostgreSQL writes them as JSON, with the total of the owner', async () => {
  const read = rowsOf(gateway.runtime).jsonPage(jsonShape('to_json(owned.title)', true));
  await fc.assert(
    fc.asyncProperty(fc.array(pageKey, { minLength: 1, maxLength: 100 }), async (keys) => {
      const before = gateway.statements.length;
      const pages = await Promise.all(keys.map((key) => read(key)));
      expect(pages).toEqual(
        keys.map((key) => ({
          rows: expected(key).map(({ id, title }) => ({ id, json: JSON.stringify(title) })),
          total: byUser.get(key.userId)?.length ?? 0,
        })),
      );
      expect(gateway.statements.length - before).toBe(Math.ceil(keys.length / 64));
    }),
    { numRuns: 60 },
  );
});

it('are found one by one by their owner, and by nobody else', async () => {
  const { row } = rowsOf(gateway.runtime);
  const everybody = [...byUser.values()].flat();
  const ids = [...everybody.map(({ id }) => id), randomUUID()];
  const keys = userIds.flatMap((userId) => ids.map((id) => ({ userId, id })));
  const before = gateway.statements.length;
  const found = await Promise.all(keys.map((key) => row(key)));
  expect(gateway.statements.length - before).toBe(Math.ceil(keys.length / 64));
  expect(found).toEqual(
    keys.map(({ userId, id }) => everybody.find((key) => key.id === id && key.userId === userId) ?? null),
  );
});

it('come with the right totals', async () => {
  const { total } = rowsOf(gateway.runtime);
  expect(await Promise.all(userIds.map((userId) => total(userId)))).toEqual([0, 1, 3, 12, 0]);
});

it('are read anew each time', async () => {
  const { page } = rowsOf(gateway.runtime);
  const { id: userId } = await gateway.user();
  const key = { userId, take: 5, skip: 0, before: null };
  expect(await page(key)).toEqual([]);
  const { db } = gateway.runtime;
  await addSshKey(gateway.runtime, systemActor(userId), { publicKey: newPublicKey(), title: 'new' });
  expect(await page(key)).toHaveLength(1);
  await db.sshKey.deleteMany({ where: { userId } });
  expect(await page(key)).toEqual([]);
});

it('fail for all when the statement fails, and for nobody after', async () => {
  const nested = { field: 'none', model: 'SshKey', sql: 'no_such_function()' } as const;
  const broken = createOwnedRows<SshKey>({ model: 'SshKey', nested })(gateway.runtime);
  const key = { userId: userIds[0] as string, take: 1, skip: 0, before: null };
  const results = await Promise.allSettled([broken.page(key), broken.page(key), broken.page(key)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await rowsOf(gateway.runtime).page(key)).toEqual([]);

  const { jsonPage } = rowsOf(gateway.runtime);
  const unwritable = jsonPage(jsonShape('no_such_function()', false));
  const pages = await Promise.allSettled([unwritable(key), unwritable(key)]);
  expect(pages.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await jsonPage(jsonShape('owned.bits', false))(key)).toEqual({ rows: [], total: null });
});
