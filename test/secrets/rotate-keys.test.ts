import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { encryptedColumns } from '../../src/secrets/encrypted-columns.ts';
import { createKeyring, type Keyring, keyIdOf } from '../../src/secrets/keyring.ts';
import { countKeyUse, rotateKeys } from '../../src/secrets/rotate-keys.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();
const [oldKey, newKey, otherKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const before = createKeyring([oldKey]);
const both = createKeyring([newKey, oldKey]);
const LINK = 'external_auth_links';

beforeEach(async () => {
  await gateway.runtime.db.externalAuthLink.deleteMany();
});

async function link(keyring: Keyring, more: { lease?: Date; secret?: string } = {}): Promise<string> {
  const { id: userId } = await gateway.user();
  const id = randomUUID();
  const encrypt = (column: string, secret: string) =>
    keyring.encrypt(secret, { table: LINK, column, row: id });
  await gateway.runtime.db.externalAuthLink.create({
    data: {
      id,
      userId,
      providerId: 'github',
      accessToken: encrypt('access_token', more.secret ?? `access-${id}`),
      refreshToken: encrypt('refresh_token', `refresh-${id}`),
      refreshLeaseUntil: more.lease,
    },
  });
  return id;
}

const read = async (id: string, keyring: Keyring) => {
  const row = await gateway.runtime.db.externalAuthLink.findUniqueOrThrow({ where: { id } });
  return keyring.decrypt(row.accessToken, { table: LINK, column: 'access_token', row: id });
};

const vault = (keyring: Keyring) => ({ db: gateway.runtime.db, keyring });

it('knows every column that the schema calls encrypted', () => {
  const schema = readFileSync('prisma/schema.prisma', 'utf8');
  const found = [...schema.matchAll(/model \w+ \{([^}]*)\}/g)].flatMap(([, body = '']) => {
    const [, table] = /@@map\("(\w+)"\)/.exec(body) ?? [];
    return [
      ...body.matchAll(
        /\/\/\/ Encrypted[^\n]*\n(?:\s*\/\/\/[^\n]*\n)*[^\n]*@map\("(\w+)"\)|\/\/\/ Encrypted[^\n]*\n\s*(\w+)/g,
      ),
    ].map(([, mapped, plain]) => `${table}.${mapped ?? plain}`);
  });
  expect(encryptedColumns.map(({ table, column }) => `${table}.${column}`).sort()).toEqual(found.sort());
});

describe('rotation', () => {
  it('encrypts everything with the first key, batch by batch, so that the old key may go', async () => {
    const ids = await Promise.all(Array.from({ length: 25 }, () => link(before)));
    const progress: number[] = [];
    const rotation = await rotateKeys(vault(both), {
      batchSize: 10,
      onProgress: ({ done }) => progress.push(done),
    });
    expect(rotation).toEqual({ total: 50, done: 50, unreadable: [] });
    expect(progress).toEqual([0, 10, 20, 25, 35, 45, 50]);
    const after = createKeyring([newKey]);
    for (const id of ids) expect(await read(id, after)).toBe(`access-${id}`);
    expect(await rotateKeys(vault(both))).toEqual({ total: 0, done: 0, unreadable: [] });
  });

  it('goes on where it was interrupted', async () => {
    await Promise.all(Array.from({ length: 12 }, () => link(before)));
    const stopped = rotateKeys(vault(both), {
      batchSize: 5,
      onProgress: ({ done }) => {
        if (done > 0) throw new Error('interrupted');
      },
    });
    await expect(stopped).rejects.toThrow('interrupted');
    expect(await rotateKeys(vault(both))).toEqual({ total: 19, done: 19, unreadable: [] });
  });

  it('writes nothing in a dry run, and tells how much there is', async () => {
    const id = await link(before);
    expect(await rotateKeys(vault(both), { dryRun: true })).toEqual({ total: 2, done: 2, unreadable: [] });
    expect(await read(id, before)).toBe(`access-${id}`);
  });

  it('leaves alone a secret that was replaced meanwhile', async () => {
    const id = await link(before);
    const slow: Keyring = {
      ...both,
      encrypt: (secret, place) => both.encrypt(`stale ${secret}`, place),
    };
    // Whoever links again does so between the read and the write of the rotation.
    const db = gateway.runtime.db.$extends({
      query: {
        async $executeRaw({ args, query }) {
          await gateway.runtime.db.externalAuthLink.updateMany({
            where: { id },
            data: {
              accessToken: both.encrypt('linked again', { table: LINK, column: 'access_token', row: id }),
            },
          });
          return query(args);
        },
      },
    }) as unknown as typeof gateway.runtime.db;
    await rotateKeys({ db, keyring: slow });
    expect(await read(id, both)).toBe('linked again');
  });

  it('waits for a renewal that is under way, which compares what it read', async () => {
    const id = await link(before, { lease: new Date(Date.now() + 1_500) });
    expect(await rotateKeys(vault(both), { dryRun: false })).toMatchObject({ done: 2 });
    expect(await read(id, createKeyring([newKey]))).toBe(`access-${id}`);
  });

  it('names what it cannot read and does the rest', async () => {
    const good = await link(before);
    const lost = await link(createKeyring([otherKey]));
    const rotation = await rotateKeys(vault(both));
    expect(rotation).toMatchObject({ total: 4, done: 2 });
    expect(rotation.unreadable).toEqual([
      `${LINK}.access_token of row ${lost}: its key ${keyIdOf(otherKey)} is not among ENCRYPTION_KEYS`,
      `${LINK}.refresh_token of row ${lost}: its key ${keyIdOf(otherKey)} is not among ENCRYPTION_KEYS`,
    ]);
    expect(await read(good, both)).toBe(`access-${good}`);
  });
});

it('counts what each key encrypts', async () => {
  await link(before);
  await link(both);
  await link(createKeyring([otherKey]));
  expect(await countKeyUse(vault(both))).toMatchObject([
    { keyId: keyIdOf(newKey), role: 'primary', secrets: 2 },
    { keyId: keyIdOf(oldKey), role: 'secondary', secrets: 2, byColumn: { [`${LINK}.access_token`]: 1 } },
    { keyId: keyIdOf(otherKey), role: 'missing', secrets: 2 },
  ]);
});
