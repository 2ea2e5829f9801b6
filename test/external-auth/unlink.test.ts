import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { sealTokens } from '../../src/external-auth/link-store.ts';
import { deliverRevocations, startRevocations } from '../../src/external-auth/revocation-outbox.ts';
import { expectNothingStored } from '../database-dump.ts';
import { startGateway, type TestUser, useGateway } from '../harness.ts';
import { startGitHub } from '../upstream/github.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { hang, json, startStub, status } from '../upstream/stub.ts';
import { createGate, linkWithTokens, linkWithUpstream, providerOf, stubEnv } from './link-account.ts';

const upstream = await startUpstream();
const github = await startGitHub();
const stub = await startStub();
afterAll(() => Promise.all([upstream.close(), github.close(), stub.close()]));

const env = {
  ...upstream.env(0, 'oidc'),
  ...github.env(1, 'github'),
  ...stubEnv(2, 'forge', stub.origin),
  ...stubEnv(3, 'endless', stub.origin, { REVOKE_URL: '' }),
};
const gateway = useGateway({ env });
const REVOKE = 'POST /forge/revoke';
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

beforeEach(async () => {
  await gateway.runtime.db.externalAuthRevocation.deleteMany();
});

const unlink = async ({ token }: TestUser, providerId = 'forge') => {
  const { data, errors } = await gateway.graphql(
    `mutation ($id: String!) { unlinkExternalAuth(input: { providerId: $id }) {
      __typename
      ... on UnlinkExternalAuthPayload { providerId tokenRevoked tokenRevocationError }
      ... on UserError { code message path }
    } }`,
    { id: providerId },
    token,
  );
  expect(errors).toBeUndefined();
  return data.unlinkExternalAuth;
};

const outbox = ({ id }: TestUser) =>
  gateway.runtime.db.externalAuthRevocation.findMany({ where: { userId: id } });
const links = ({ id }: TestUser) => gateway.runtime.db.externalAuthLink.count({ where: { userId: id } });
const actions = async ({ id }: TestUser) =>
  (
    await gateway.runtime.db.auditEvent.findMany({
      where: { userId: id, action: { startsWith: 'external_auth' } },
      orderBy: { id: 'asc' },
    })
  ).map(({ action }) => action);

/** What is left in the outbox after a failed unlink. */
async function failedUnlink(failure = status(503)) {
  const user = await gateway.user();
  await linkWithTokens(gateway, user, 'forge');
  stub.on(REVOKE, failure);
  await unlink(user);
  const [row] = await outbox(user);
  if (!row) throw new Error('There is nothing in the outbox.');
  return { user, row };
}

describe('unlinking', () => {
  it('revokes at a real provider, and tells so', async () => {
    const user = await gateway.user();
    await linkWithUpstream(gateway, upstream, user, 'oidc');
    const [link] = await gateway.runtime.db.externalAuthLink.findMany({ where: { userId: user.id } });
    const asked = upstream.count('POST /token/revocation');
    expect(await unlink(user, 'oidc')).toEqual({
      __typename: 'UnlinkExternalAuthPayload',
      providerId: 'oidc',
      tokenRevoked: true,
      tokenRevocationError: null,
    });
    expect(upstream.count('POST /token/revocation')).toBe(asked + 1);
    expect(await links(user)).toBe(0);
    expect(await outbox(user)).toEqual([]);
    expect(await actions(user)).toEqual([
      'external_auth.link',
      'external_auth.unlink',
      'external_auth.revoke',
    ]);
    const events = await gateway.runtime.db.auditEvent.findMany({
      where: { userId: user.id, targetType: 'external_auth_link' },
    });
    expect(new Set(events.map(({ targetId }) => targetId))).toEqual(new Set([link?.id]));
  });

  it("revokes in GitHub's own way", async () => {
    const user = await gateway.user();
    github.liveTokens.add('gho_live');
    await linkWithTokens(gateway, user, 'github', { accessToken: 'gho_live', refreshToken: null });
    expect(await unlink(user, 'github')).toMatchObject({ tokenRevoked: true });
    expect(github.liveTokens.has('gho_live')).toBe(false);
  });

  it('tells when the provider has no way to revoke, and keeps nothing', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'endless');
    expect(await unlink(user, 'endless')).toMatchObject({
      tokenRevoked: false,
      tokenRevocationError:
        'Forge offers no way to revoke the token. Remove the access in your settings there.',
    });
    expect(await links(user)).toBe(0);
    expect(await outbox(user)).toEqual([]);
  });

  it('works for a provider that has left the configuration', async () => {
    const user = await gateway.user();
    const { id } = await linkWithTokens(gateway, user, 'forge');
    await gateway.runtime.db.externalAuthLink.update({ where: { id }, data: { providerId: 'gone' } });
    expect(await unlink(user, 'gone')).toMatchObject({
      tokenRevoked: false,
      tokenRevocationError: 'The provider "gone" is no longer configured, so its token was not revoked.',
    });
    expect(await links(user)).toBe(0);
  });

  it('works for a link whose secrets are damaged', async () => {
    const user = await gateway.user();
    const { id } = await linkWithTokens(gateway, user, 'forge');
    await gateway.runtime.db.externalAuthLink.update({ where: { id }, data: { accessToken: 'v1.x.y' } });
    const asked = stub.requests.length;
    expect(await unlink(user)).toMatchObject({
      tokenRevoked: false,
      tokenRevocationError: 'The stored token could not be read, so it was not revoked.',
    });
    expect(stub.requests).toHaveLength(asked);
    expect(await links(user)).toBe(0);
  });

  it("finds no link where there is none, and not another user's", async () => {
    const [ada, grace] = [await gateway.user(), await gateway.user()];
    await linkWithTokens(gateway, ada, 'forge');
    for (const id of ['forge', 'oidc', 'nobody', '', 'a\u0000b']) {
      expect(await expectNothingStored(gateway, () => unlink(grace, id))).toEqual({
        __typename: 'NotFound',
        code: 'NOT_FOUND',
        message: 'The link was not found.',
        path: ['input', 'providerId'],
      });
    }
    expect(await links(ada)).toBe(1);
  });

  it('of two requests at once succeeds for one', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'forge');
    stub.on(REVOKE, json({}));
    const asked = stub.count(REVOKE);
    const results = await Promise.all([unlink(user), unlink(user)]);
    expect(results.map(({ __typename }) => __typename).sort()).toEqual([
      'NotFound',
      'UnlinkExternalAuthPayload',
    ]);
    expect(stub.count(REVOKE)).toBe(asked + 1);
  });

  it('takes the newest tokens, when a renewal stores some in the same moment', async () => {
    const user = await gateway.user();
    const link = await linkWithTokens(gateway, user, 'forge');
    stub.on(REVOKE, json({}));
    const { db, keyring } = gateway.runtime;
    // The renewal has written its tokens and not yet committed when the unlink comes to delete the row.
    let unlinking: Promise<unknown> | undefined;
    await db.$transaction(async (tx) => {
      await tx.externalAuthLink.update({
        where: { id: link.id },
        data: sealTokens(keyring, link.id, {
          accessToken: 'renewed',
          refreshToken: 'renewed refresh token',
          expiresAt: null,
          extra: {},
        }),
      });
      const before = gateway.statements.length;
      unlinking = unlink(user);
      // The embedded database lets nobody else in meanwhile. A server shows the old row.
      if (gateway.database.kind === 'embedded') return;
      const reads = () =>
        gateway.statements.slice(before).filter((sql) => /^SELECT .*"external_auth_links"/.test(sql));
      await expect.poll(reads, { timeout: 10_000 }).not.toEqual([]);
    });
    expect(await unlinking).toMatchObject({ tokenRevoked: true });
    expect(stub.requests.at(-1)?.form.token).toBe('renewed refresh token');
  });

  it('needs the scope external_auth:write', async () => {
    const { token } = await gateway.user(['external_auth:read']);
    const { errors } = await gateway.graphql(
      'mutation { unlinkExternalAuth(input: { providerId: "forge" }) { __typename } }',
      {},
      token,
    );
    expect(errors?.[0].extensions.code).toBe('FORBIDDEN');
  });
});

describe('a revocation that failed', () => {
  it('is told, and tried again with longer and longer pauses until it succeeds', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'forge');
    stub.on(REVOKE, status(503), status(500), status(429), json({}));
    const before = stub.count(REVOKE);
    const tries = () => stub.count(REVOKE) - before;
    expect(await unlink(user)).toMatchObject({
      tokenRevoked: false,
      tokenRevocationError:
        'Forge has a fault of its own (status 503). Try again later. Revoking it will be tried again by itself.',
    });
    expect(await links(user)).toBe(0);
    for (const [pause, expected] of [
      [30_000, 1],
      [31_000, 2],
      [MINUTE, 2],
      [MINUTE + 1_000, 3],
      [3 * MINUTE, 3],
      [MINUTE + 1_000, 4],
    ] as const) {
      gateway.advance(pause);
      await deliverRevocations(gateway.runtime);
      expect(tries()).toBe(expected);
    }
    expect(await outbox(user)).toEqual([]);
    expect(await actions(user)).toEqual([
      'external_auth.link',
      'external_auth.unlink',
      'external_auth.revoke',
    ]);
  });

  it('never waits longer than 6 hours, and is given up after 7 days', async () => {
    const { user } = await failedUnlink();
    const before = stub.count(REVOKE);
    let longest = 0;
    for (let hour = 0; hour < 7 * 24; hour += 1) {
      const asked = stub.count(REVOKE);
      gateway.advance(60 * MINUTE);
      await deliverRevocations(gateway.runtime);
      longest = stub.count(REVOKE) > asked ? 0 : Math.max(longest, longest + 1);
      expect(longest).toBeLessThanOrEqual(6);
    }
    expect(stub.count(REVOKE)).toBeGreaterThan(before + 28);
    expect(await outbox(user)).toEqual([]);
    expect((await actions(user)).at(-1)).toBe('external_auth.revoke_failed');
    const asked = stub.count(REVOKE);
    gateway.advance(DAY);
    await deliverRevocations(gateway.runtime);
    expect(stub.count(REVOKE)).toBe(asked);
  });

  it('is not tried again where the provider has refused for good', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'github', { accessToken: 'gho_dead', refreshToken: null });
    expect(await unlink(user, 'github')).toMatchObject({
      tokenRevoked: false,
      tokenRevocationError: 'GitHub knows no such grant (status 404).',
    });
    expect(await outbox(user)).toEqual([]);
    expect((await actions(user)).at(-1)).toBe('external_auth.revoke_failed');
  });

  it("is tried again while the client's credentials are wrong: an administrator may mend them", async () => {
    const { user } = await failedUnlink(json({ error: 'invalid_client' }, 401));
    expect(await outbox(user)).toHaveLength(1);
    stub.on(REVOKE, json({}));
    gateway.advance(2 * MINUTE);
    await deliverRevocations(gateway.runtime);
    expect(await outbox(user)).toEqual([]);
  });

  it('because the process was killed is made up for', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'forge');
    const gate = createGate();
    stub.on(REVOKE, gate.before(json({})));
    const answer = unlink(user);
    await gate.arrived;
    // Killed here, nothing but this row is left. It belongs to the first try for a minute.
    expect(await links(user)).toBe(0);
    expect(await outbox(user)).toHaveLength(1);
    const asked = stub.count(REVOKE);
    await deliverRevocations(gateway.runtime);
    expect(stub.count(REVOKE)).toBe(asked);
    stub.on(REVOKE, json({}));
    gateway.advance(MINUTE + 1_000);
    await deliverRevocations(gateway.runtime);
    expect(stub.count(REVOKE)).toBe(asked + 1);
    expect(await outbox(user)).toEqual([]);
    gate.open();
    await answer;
    expect((await actions(user)).filter((action) => action === 'external_auth.revoke')).toHaveLength(1);
  });

  it('is tried by one process of several', async () => {
    const made = await Promise.all(Array.from({ length: 12 }, () => failedUnlink()));
    const gate = createGate();
    stub.on(REVOKE, gate.before(json({})));
    const { gateway: replica, close } = await startGateway({ env, beside: gateway });
    try {
      gateway.advance(2 * MINUTE);
      replica.advance(gateway.runtime.clock().getTime() - replica.runtime.clock().getTime());
      const asked = stub.count(REVOKE);
      const here = deliverRevocations(gateway.runtime);
      await gate.arrived;
      const there = deliverRevocations(replica.runtime);
      // Each has claimed a batch of ten, or what is left of it, before any is done.
      const claims = () => replica.statements.filter((sql) => /WITH due/.test(sql));
      await expect.poll(claims, { timeout: 10_000 }).not.toEqual([]);
      gate.open();
      expect((await here) + (await there)).toBe(made.length);
      expect(stub.count(REVOKE)).toBe(asked + made.length);
    } finally {
      await close();
    }
    expect(await gateway.runtime.db.externalAuthRevocation.count()).toBe(0);
  });

  it('is called off when the account is linked again: it could end the new grant, too', async () => {
    const { user } = await failedUnlink();
    await linkWithTokens(gateway, user, 'forge', { accessToken: 'new', refreshToken: 'new' });
    const asked = stub.count(REVOKE);
    gateway.advance(DAY);
    await deliverRevocations(gateway.runtime);
    expect(stub.count(REVOKE)).toBe(asked);
    expect(await outbox(user)).toEqual([]);
  });

  it('waits for a provider that has left the configuration to come back', async () => {
    const { user, row } = await failedUnlink();
    await gateway.runtime.db.externalAuthRevocation.update({
      where: { id: row.id },
      data: { providerId: 'gone' },
    });
    gateway.advance(2 * MINUTE);
    await deliverRevocations(gateway.runtime);
    expect(await outbox(user)).toMatchObject([{ attempts: 1 }]);
  });

  it('of damaged tokens is given up', async () => {
    const { user, row } = await failedUnlink();
    await gateway.runtime.db.externalAuthRevocation.update({
      where: { id: row.id },
      data: { accessToken: 'v1.x.y' },
    });
    gateway.advance(2 * MINUTE);
    await deliverRevocations(gateway.runtime);
    expect(await outbox(user)).toEqual([]);
    expect((await actions(user)).at(-1)).toBe('external_auth.revoke_failed');
  });
});

it('a provider that hangs holds an unlink up for 10 s at most', async () => {
  const user = await gateway.user();
  await linkWithTokens(gateway, user, 'forge');
  stub.on(REVOKE, hang());
  const started = performance.now();
  const answer = await unlink(user);
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(answer).toMatchObject({
    tokenRevoked: false,
    tokenRevocationError: expect.stringMatching(/^Forge (did not answer within|has not confirmed)/),
  });
  expect(await outbox(user)).toHaveLength(1);
});

it('the loop delivers what is due, and stops when it is told to', async () => {
  const { user } = await failedUnlink();
  stub.on(REVOKE, json({}));
  gateway.advance(2 * MINUTE);
  const stop = startRevocations(gateway.runtime);
  await expect.poll(() => outbox(user), { timeout: 10_000 }).toEqual([]);
  stop();
  expect(providerOf(gateway, 'forge').supportsRevocation).toBe(true);
});
