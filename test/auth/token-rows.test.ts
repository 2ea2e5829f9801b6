import { describe, expect, inject, it } from 'vitest';
import { createApiToken, setUserDisabled, systemActor } from '../../src/accounts/accounts.service.ts';
import { authenticate } from '../../src/auth/authenticate.ts';
import { openNotifications } from '../../src/notifications.ts';
import { useGateway } from '../harness.ts';

// On a server, token checks are kept for seconds. Whoever loses a right must not notice that it was fast before.

const gateway = useGateway();
const isServer = inject('databaseTemplate').kind === 'server';

const READ = /FROM "public"."api_tokens" WHERE "public"."api_tokens"."token_hash"/;
const reads = (from: number) => gateway.statements.slice(from).filter((sql) => READ.test(sql)).length;

/** The news of other processes comes in from the first check on. */
async function listening(): Promise<void> {
  const { token } = await gateway.user();
  await authenticate(gateway.runtime, token);
  if (isServer) await expect.poll(() => gateway.runtime.notifications.hearsOthers()).toBe(true);
}

const me = async (token: string) => (await gateway.graphql('{ viewer { username } }', {}, token)).status;

describe('a check of a token', () => {
  it('shares one statement with all that run at once', async () => {
    const users = await Promise.all(Array.from({ length: 30 }, () => gateway.user()));
    const before = gateway.statements.length;
    const viewers = await Promise.all(users.map(({ token }) => authenticate(gateway.runtime, token)));
    expect(viewers.map((viewer) => viewer?.user.username)).toEqual(users.map(({ username }) => username));
    expect(reads(before)).toBeLessThanOrEqual(3);
  });

  it('knows revoked tokens, disabled users and the clock at once', async () => {
    await listening();
    const { runtime } = gateway;
    const ada = await gateway.user(['admin']);
    const second = await createApiToken(runtime, systemActor(ada.id), null, {
      name: 'short',
      scopes: ['user:read'],
      expiresAt: new Date(runtime.clock().getTime() + 60_000),
    });
    expect([await me(ada.token), await me(second.token)]).toEqual([200, 200]);

    gateway.advance(60_001);
    expect([await me(ada.token), await me(second.token)]).toEqual([200, 401]);

    await setUserDisabled(runtime, ada.username, true);
    expect(await me(ada.token)).toBe(401);
    await setUserDisabled(runtime, ada.username, false);
    expect(await me(ada.token)).toBe(200);

    const { data } = await gateway.graphql(
      '{ viewer { apiTokens { edges { node { id name } } } } }',
      {},
      ada.token,
    );
    const own = data.viewer.apiTokens.edges.find(
      ({ node }: { node: { name: string } }) => node.name === 'test',
    );
    const revoke = 'mutation ($id: ID!) { revokeApiToken(input: { id: $id }) { __typename } }';
    await gateway.graphql(revoke, { id: own.node.id }, ada.token);
    expect(await me(ada.token)).toBe(401);
  });

  it('never keeps what it read before a revocation', async () => {
    await listening();
    const { runtime } = gateway;
    for (let round = 0; round < 20; round += 1) {
      const { id, username, token } = await gateway.user();
      // Checks that are under way while the user is disabled, at every moment of it.
      const checks = Array.from({ length: 5 }, async (_, n) => {
        for (let turn = 0; turn < n; turn += 1) await new Promise(setImmediate);
        return authenticate(runtime, token);
      });
      await Promise.all([setUserDisabled(runtime, username, true), ...checks]);
      expect(await authenticate(runtime, token), id).toBeNull();
    }
  });

  it('notes the use of a token once a minute, whoever reads the row', async () => {
    await listening();
    const { token } = await gateway.user();
    const updates = (from: number) =>
      gateway.statements.slice(from).filter((sql) => /UPDATE "public"."api_tokens"/.test(sql)).length;
    // Other tokens were used just now.
    await gateway.settled();
    const before = gateway.statements.length;
    for (let n = 0; n < 5; n += 1) await authenticate(gateway.runtime, token);
    await gateway.settled();
    expect(updates(before)).toBe(1);
    gateway.advance(61_000);
    for (let n = 0; n < 5; n += 1) await authenticate(gateway.runtime, token);
    await gateway.settled();
    expect(updates(before)).toBe(2);
  });
});

// An embedded database has no second process with a cache.
if (isServer) {
  describe('on a server', () => {
    it('reads a token once for the checks of some seconds', async () => {
      await listening();
      const { token } = await gateway.user();
      const before = gateway.statements.length;
      for (let n = 0; n < 10; n += 1) expect(await authenticate(gateway.runtime, token)).not.toBeNull();
      expect(reads(before)).toBe(1);
    });

    it('hears of a revocation in another process', async () => {
      await listening();
      const { runtime } = gateway;
      const { username, token } = await gateway.user();
      expect(await authenticate(runtime, token)).not.toBeNull();
      const notifications = openNotifications(gateway.database, runtime.log);
      await setUserDisabled({ ...runtime, notifications }, username, true);
      await expect.poll(() => authenticate(runtime, token), { interval: 20, timeout: 2_000 }).toBeNull();
      await notifications.close();
    });

    it('does not keep unknown tokens: one that is made later works at once', async () => {
      await listening();
      const before = gateway.statements.length;
      for (let n = 0; n < 3; n += 1) expect(await authenticate(gateway.runtime, 'x'.repeat(40))).toBeNull();
      expect(reads(before)).toBe(3);
    });
  });
}
