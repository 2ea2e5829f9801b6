import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { openTokens } from '../../src/external-auth/link-store.ts';
import { createKeyring } from '../../src/secrets/keyring.ts';
import { countKeyUse, rotateKeys } from '../../src/secrets/rotate-keys.ts';
import { linkWithTokens, stubEnv } from '../external-auth/link-account.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { json, startStub } from '../upstream/stub.ts';

const LINKS = 6;
const ROUNDS = 8;

const stub = await startStub();
afterAll(() => stub.close());

const keys = [randomBytes(32), randomBytes(32)];
const gateway = useGateway({
  env: {
    ...stubEnv(0, 'forge', stub.origin, { VALIDATE_URL: '' }),
    ENCRYPTION_KEYS: keys.map((key) => key.toString('base64')).join(','),
  },
});

/** The refresh token of each account that its provider would still take: each is good for one use. */
const live = new Map<string, string>();
let refused: string[] = [];

beforeEach(() => {
  refused = [];
  stub.on('POST /forge/token', (response, request) => {
    const given = request.form.refresh_token ?? '';
    const [account = ''] = given.split(' ');
    if (live.get(account) !== given) {
      refused.push(given);
      json({ error: 'invalid_grant' }, 400)(response, request);
      return;
    }
    const next = `${account} ${randomUUID()}`;
    live.set(account, next);
    json({ access_token: `access ${next}`, refresh_token: next, expires_in: 3_600 })(response, request);
  });
});

async function renew({ token }: TestUser): Promise<string> {
  const { data, errors } = await gateway.graphql(
    'mutation { refreshExternalAuthLink(input: { providerId: "forge" }) { __typename } }',
    {},
    token,
  );
  expect(errors).toBeUndefined();
  return data.refreshExternalAuthLink.__typename;
}

// A renewal that loses its row to a rotation, or a rotation that puts an old token back, would end in a refusal: the
// provider takes each refresh token once.
it('a rotation and renewals at the same time lose no token of each other', async () => {
  const { runtime } = gateway;
  const accounts = await Promise.all(
    Array.from({ length: LINKS }, async (_, n) => {
      const user = await gateway.user();
      const refreshToken = `account-${n} first`;
      live.set(`account-${n}`, refreshToken);
      const { id } = await linkWithTokens(gateway, user, 'forge', { refreshToken });
      return { user, id, account: `account-${n}` };
    }),
  );
  const keyrings = [createKeyring([...keys].reverse()), createKeyring(keys)];
  let rotated = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Back and forth, so that each round has all rows to write. The gateway's own first key stays what it is.
    const keyring = keyrings[round % 2] ?? runtime.keyring;
    const [rotation, outcomes] = await Promise.all([
      rotateKeys({ db: runtime.db, keyring }, { batchSize: 3, busyRetryMs: 5 }),
      Promise.all(accounts.map(async ({ user }) => [await renew(user), await renew(user)])),
    ]);
    rotated += rotation.done;
    expect(rotation.unreadable).toEqual([]);
    expect(new Set(outcomes.flat())).toEqual(new Set(['RefreshExternalAuthLinkPayload']));
  }
  expect(refused).toEqual([]);
  // How often a renewal is first, and leaves a rotation nothing to do, is a matter of luck.
  expect(rotated).toBeGreaterThan(LINKS);

  for (const { id, account } of accounts) {
    const row = await runtime.db.externalAuthLink.findUniqueOrThrow({ where: { id } });
    const { accessToken, refreshToken } = openTokens(runtime.keyring, row);
    expect(refreshToken).toBe(live.get(account));
    expect(accessToken).toBe(`access ${refreshToken}`);
    expect(row.refreshFailureReason).toBeNull();
  }
  // With nobody beside it, a rotation leaves nothing behind.
  const last = keyrings[0] ?? runtime.keyring;
  await rotateKeys({ db: runtime.db, keyring: last });
  expect(await countKeyUse({ db: runtime.db, keyring: last })).toMatchObject([
    { role: 'primary', secrets: LINKS * 2 },
    { role: 'secondary', secrets: 0 },
  ]);
}, 120_000);
