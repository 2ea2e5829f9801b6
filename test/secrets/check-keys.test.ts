import { beforeEach, describe, expect, it } from 'vitest';
import { checkKeys } from '../../src/secrets/check-keys.ts';
import { createKeyring, type Keyring } from '../../src/secrets/keyring.ts';
import { useGateway } from '../harness.ts';

const gateway = useGateway();
const [former, current] = [1, 2].map((byte) => createKeyring([new Uint8Array(32).fill(byte)])) as [
  Keyring,
  Keyring,
];

/** Stores a secret under a key. */
async function link(providerId: string, keyring: Keyring): Promise<void> {
  const { id: userId } = await gateway.user();
  const accessToken = keyring.encrypt('secret', { table: 'x', column: 'y', row: 'z' });
  await gateway.runtime.db.externalAuthLink.create({ data: { userId, providerId, accessToken } });
}

const check = (...bytes: number[]) =>
  checkKeys({
    ...gateway.runtime,
    keyring: createKeyring(bytes.map((byte) => new Uint8Array(32).fill(byte))),
  });

describe('keys', () => {
  beforeEach(async () => {
    await gateway.runtime.db.externalAuthLink.deleteMany();
  });

  it('are good when nothing is stored, or all of it can be read', async () => {
    expect(await check(3)).toEqual([]);
    await link('a', former);
    await link('b', current);
    expect(await check(2, 1)).toEqual([]);
  });

  it('that read nothing of what is stored stop the start, with their names and without themselves', async () => {
    await link('a', former);
    const message = await check(3).catch((error: Error) => error.message);
    expect(message).toContain(`encrypted with the key ${former.primaryKeyId} `);
    expect(message).toContain('ENCRYPTION_KEYS');
    expect(message).not.toContain(Buffer.alloc(32, 3).toString('base64'));
  });

  it('that read some of it do not: the others are named', async () => {
    await link('a', former);
    await link('b', current);
    expect(await check(2)).toEqual([former.primaryKeyId]);
  });
});
