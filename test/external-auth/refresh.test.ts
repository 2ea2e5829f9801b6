import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openTokens, sealTokens } from '../../src/external-auth/link-store.ts';
import type { TokenSet } from '../../src/external-auth/providers/provider.ts';
import { deliverRevocations } from '../../src/external-auth/revocation-outbox.ts';
import type { ExternalAuthLink } from '../../src/generated/prisma/client.ts';
import type { Notification } from '../../src/notifications.ts';
import { createKeyring } from '../../src/secrets/keyring.ts';
import { rotateKeys } from '../../src/secrets/rotate-keys.ts';
import { expectNothingStored } from '../database-dump.ts';
import { startGateway, type TestGateway, type TestUser, useGateway } from '../harness.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { type Behaviour, cut, json, startStub, status } from '../upstream/stub.ts';
import { createGate, linkWithTokens, linkWithUpstream, stubEnv } from './link-account.ts';

const upstream = await startUpstream();
const stub = await startStub();
afterAll(() => Promise.all([upstream.close(), stub.close()]));

const env = {
  // Many callers at once, on a machine that may be busy.
  DATABASE_POOL_SIZE: '25',
  ...upstream.env(0, 'oidc'),
  ...stubEnv(1, 'forge', stub.origin),
  ...stubEnv(2, 'stays', stub.origin, { NO_REFRESH: 'true' }),
  ...stubEnv(3, 'extras', stub.origin, { EXTRA_TOKEN_KEYS: 'team scope' }),
};
const gateway = useGateway({ env });

const HOUR = 3_600_000;
const TOKEN = 'POST /forge/token';

beforeEach(() => {
  for (const id of ['forge', 'stays', 'extras']) stub.on(`GET /${id}/validate`, json({}));
});

/** Answers a renewal with new tokens, each refresh token being good for one. */
function singleUse(first = 'refresh-0'): Behaviour {
  let live = first;
  return (response, request) => {
    if (request.form.refresh_token !== live) return REFUSED(response, request);
    live = `refresh-${randomUUID()}`;
    json({ access_token: `access-${randomUUID()}`, refresh_token: live, expires_in: 3_600 })(
      response,
      request,
    );
  };
}

const REFUSED = json({ error: 'invalid_grant', error_description: 'The token was used.' }, 400);

/** How often the stub was asked to renew while something happened. */
async function renewals<Result>(act: () => Promise<Result>, route = TOKEN): Promise<[Result, number]> {
  const before = stub.count(route);
  const result = await act();
  return [result, stub.count(route) - before];
}

async function expiredLink(providerId = 'forge', tokens: Partial<TokenSet> = {}) {
  const user = await gateway.user();
  const expiresAt = new Date(gateway.runtime.clock().getTime() - 1_000);
  const link = await linkWithTokens(gateway, user, providerId, { expiresAt, ...tokens });
  return { user, link };
}

const readLink = async (at: TestGateway, { token }: TestUser, providerId = 'forge') => {
  const { data, errors } = await at.graphql(
    `query ($id: String!) { viewer { externalAuthLink(providerId: $id) {
      authenticated validation validateError hasRefreshToken expiresAt refreshFailureReason } } }`,
    { id: providerId },
    token,
  );
  expect(errors).toBeUndefined();
  return data.viewer.externalAuthLink;
};

/** The token as a machine gets it; null when there is none to give. */
const readToken = async (at: TestGateway, { token }: TestUser, id = 'forge'): Promise<string | null> => {
  const { data, errors } = await at.graphql(
    'query ($id: String) { externalAuthToken(id: $id) { credentials { accessToken } } }',
    { id },
    token,
  );
  expect(errors).toBeUndefined();
  return data.externalAuthToken.credentials?.accessToken ?? null;
};

const refresh = async (at: TestGateway, { token }: TestUser, providerId = 'forge') => {
  const { data, errors } = await at.graphql(
    `mutation ($id: String!) { refreshExternalAuthLink(input: { providerId: $id }) {
      __typename
      ... on RefreshExternalAuthLinkPayload { link { expiresAt hasRefreshToken } }
      ... on UserError { code message path }
      ... on ExternalAuthProviderFailure { transient oauthError }
    } }`,
    { id: providerId },
    token,
  );
  return errors ? { errors } : data.refreshExternalAuthLink;
};

const row = ({ id }: { id: string }) =>
  gateway.runtime.db.externalAuthLink.findUniqueOrThrow({ where: { id } });
const tokensOf = async (link: { id: string }) => openTokens(gateway.runtime.keyring, await row(link));
const audits = (user: TestUser, action: string) =>
  gateway.runtime.db.auditEvent.findMany({ where: { userId: user.id, action } });

/** What another process does when it stores tokens. */
const storeAsAnother = (link: ExternalAuthLink, tokens: Partial<TokenSet> = {}) =>
  gateway.runtime.db.externalAuthLink.update({
    where: { id: link.id },
    data: {
      ...sealTokens(gateway.runtime.keyring, link.id, {
        accessToken: "the winner's",
        refreshToken: "the winner's refresh token",
        expiresAt: new Date(gateway.runtime.clock().getTime() + HOUR),
        extra: {},
        ...tokens,
      }),
      refreshLeaseId: null,
      refreshLeaseUntil: null,
    },
  });

const leaseToAnother = (link: ExternalAuthLink, milliseconds: number) =>
  gateway.runtime.db.$executeRaw`
    UPDATE external_auth_links SET refresh_lease_id = ${randomUUID()}::uuid,
      refresh_lease_until = clock_timestamp() + ${milliseconds}::int * interval '1 millisecond'
    WHERE id = ${link.id}::uuid`;

/** A second replica on the same database, for the time of a test. */
async function withReplica<Result>(work: (replica: TestGateway) => Promise<Result>): Promise<Result> {
  const { gateway: replica, close } = await startGateway({ env, beside: gateway });
  // Their clocks go alike: some tests have moved this one.
  replica.advance(gateway.runtime.clock().getTime() - replica.runtime.clock().getTime());
  try {
    return await work(replica);
  } finally {
    await close();
  }
}

describe('an expired token', () => {
  it('is renewed at a real provider, and the new one works there', async () => {
    const user = await gateway.user();
    const link = await linkWithUpstream(gateway, upstream, user, 'oidc');
    const old = await tokensOf(link);
    gateway.advance(HOUR + 1_000);
    const asked = upstream.count();
    expect(await readLink(gateway, user, 'oidc')).toEqual({
      authenticated: true,
      validation: 'VALID',
      validateError: null,
      hasRefreshToken: true,
      expiresAt: expect.any(String),
      refreshFailureReason: null,
    });
    expect(upstream.count()).toBe(asked + 1);
    const renewed = await tokensOf(link);
    expect(renewed.accessToken).not.toBe(old.accessToken);
    expect(renewed.refreshToken).not.toBe(old.refreshToken);
    expect(renewed.expiresAt?.getTime()).toBeGreaterThan(gateway.runtime.clock().getTime());
    expect(await audits(user, 'external_auth.refresh')).toMatchObject([
      { targetId: link.id, tokenId: expect.any(String), details: { providerId: 'oidc' } },
    ]);
  });

  it('shows its new end in the same answer', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, singleUse());
    const { expiresAt } = await readLink(gateway, user);
    expect(Date.parse(expiresAt)).toBeGreaterThan(gateway.runtime.clock().getTime());
  });

  it('is left alone when nothing is asked that needs it', async () => {
    const { user, link } = await expiredLink();
    const [{ data }, asked] = await renewals(() =>
      gateway.graphql(
        '{ viewer { externalAuthLink(providerId: "forge") { uuid expiresAt hasRefreshToken updatedAt } } }',
        {},
        user.token,
      ),
    );
    expect(asked).toBe(0);
    expect(data.viewer.externalAuthLink).toEqual({
      uuid: link.id,
      expiresAt: link.expiresAt?.toISOString(),
      hasRefreshToken: true,
      updatedAt: link.updatedAt.toISOString(),
    });
  });

  it.each([
    [9_000, 1],
    [11_000, 0],
  ])('counts as expired 10 s early: %i ms before its end', async (left, expected) => {
    const { user } = await expiredLink('forge', {
      expiresAt: new Date(gateway.runtime.clock().getTime() + left),
    });
    stub.on(TOKEN, singleUse());
    const [, asked] = await renewals(() => readLink(gateway, user));
    expect(asked).toBe(expected);
  });

  it('that cannot be renewed works until its very end', async () => {
    const { user } = await expiredLink('forge', {
      refreshToken: null,
      expiresAt: new Date(gateway.runtime.clock().getTime() + 8_000),
    });
    expect(await readLink(gateway, user)).toMatchObject({ authenticated: true, validation: 'VALID' });
    gateway.advance(8_000);
    expect(await readLink(gateway, user)).toMatchObject({ authenticated: false, validation: 'INVALID' });
  });

  it('that cannot be renewed is invalid without any call', async () => {
    const { user } = await expiredLink('forge', { refreshToken: null });
    const before = stub.requests.length;
    expect(await readLink(gateway, user)).toMatchObject({
      authenticated: false,
      validation: 'INVALID',
      validateError:
        'The token has expired, and Forge gave nothing to renew it with. Link the account again.',
    });
    expect(stub.requests).toHaveLength(before);
  });

  it('is not renewed where the administrator has turned that off', async () => {
    const { user } = await expiredLink('stays');
    const before = stub.requests.length;
    expect(await readLink(gateway, user, 'stays')).toMatchObject({
      authenticated: false,
      validation: 'INVALID',
      validateError:
        'The token has expired, and the administrator has turned renewals off. Link the account again.',
      hasRefreshToken: true,
    });
    expect(await refresh(gateway, user, 'stays')).toMatchObject({
      __typename: 'ExternalAuthRelinkRequired',
    });
    expect(stub.requests).toHaveLength(before);
  });

  it('keeps its refresh token, and its extra fields, when the answer has none', async () => {
    const { user, link } = await expiredLink('extras', { extra: { team: 'acme', scope: 'all' } });
    stub.on('POST /extras/token', json({ access_token: 'another', scope: 'fewer', expires_in: 3_600 }));
    expect(await readToken(gateway, user, 'extras')).toBe('another');
    expect(await tokensOf(link)).toMatchObject({
      refreshToken: 'refresh-0',
      extra: { team: 'acme', scope: 'fewer' },
    });
  });
});

describe('many callers at once', () => {
  it('share one call in one process, and all get its token', async () => {
    const { user } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const [tokens, asked] = await renewals(async () => {
      const answers = Promise.all(Array.from({ length: 50 }, () => readToken(gateway, user)));
      await gate.arrived;
      gate.open();
      return answers;
    });
    expect(asked).toBe(1);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).toMatch(/^access-.{36}$/);
  });

  it('share one call in two processes', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, singleUse());
    await withReplica(async (replica) => {
      const [tokens, asked] = await renewals(() =>
        Promise.all(Array.from({ length: 50 }, (_, n) => readToken(n % 2 === 0 ? gateway : replica, user))),
      );
      expect(asked).toBe(1);
      expect(new Set(tokens).size).toBe(1);
      expect(tokens[0]).toMatch(/^access-.{36}$/);
    });
  });

  it('who ask for it explicitly share one call, too', async () => {
    const { user } = await expiredLink('forge', { expiresAt: null });
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const [results, asked] = await renewals(async () => {
      const answers = Promise.all(Array.from({ length: 10 }, () => refresh(gateway, user)));
      await gate.arrived;
      gate.open();
      return answers;
    });
    expect(asked).toBe(1);
    for (const result of results) expect(result.__typename).toBe('RefreshExternalAuthLinkPayload');
  });
});

/** Begins something, and waits until it has tried in vain to take the lease. */
async function untilTurnedAway<Result>(begin: () => Promise<Result>): Promise<{ waiting: Promise<Result> }> {
  const before = gateway.statements.length;
  const waiting = begin();
  const attempts = () =>
    gateway.statements.slice(before).filter((sql) => /SET refresh_lease_id = \$1/.test(sql));
  await expect.poll(attempts, { timeout: 10_000 }).not.toEqual([]);
  return { waiting };
}

describe('the lease', () => {
  it('of another process is waited for, and its token taken', async () => {
    const { user, link } = await expiredLink();
    stub.on(TOKEN, singleUse());
    await leaseToAnother(link, 60_000);
    const [token, asked] = await renewals(async () => {
      const { waiting } = await untilTurnedAway(() => readToken(gateway, user));
      await storeAsAnother(link);
      return waiting;
    });
    expect(token).toBe("the winner's");
    expect(asked).toBe(0);
  });

  it('of a process that crashed is taken over when it ends', async () => {
    const { user, link } = await expiredLink();
    stub.on(TOKEN, singleUse());
    await leaseToAnother(link, 1_000);
    const [token, asked] = await renewals(() => readToken(gateway, user));
    expect(token).toMatch(/^access-/);
    expect(asked).toBe(1);
  });

  it('given back without a new token tells that the provider failed: nobody asks again at once', async () => {
    const { user, link } = await expiredLink();
    stub.on(TOKEN, singleUse());
    await leaseToAnother(link, 60_000);
    const [answer, asked] = await renewals(async () => {
      const { waiting } = await untilTurnedAway(() => readLink(gateway, user));
      await gateway.runtime.db.externalAuthLink.update({
        where: { id: link.id },
        data: { refreshLeaseId: null, refreshLeaseUntil: null },
      });
      return waiting;
    });
    expect(asked).toBe(0);
    expect(answer).toMatchObject({
      authenticated: false,
      validation: 'UNKNOWN',
      validateError: 'Forge did not renew the token just now. Try again later.',
      hasRefreshToken: true,
    });
  });

  it('that was lost does not make a refusal count', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(REFUSED));
    const asking = readToken(gateway, user);
    await gate.arrived;
    // Another process took over, has used the refresh token, and is about to store what it got.
    await leaseToAnother(link, 60_000);
    const { waiting } = await untilTurnedAway(() => {
      gate.open();
      return asking;
    });
    expect(await row(link)).toMatchObject({ refreshFailureReason: null, refreshToken: link.refreshToken });
    await storeAsAnother(link);
    expect(await waiting).toBe("the winner's");
  });

  it('is kept while its holder waits for a slow provider', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const waiting = readToken(gateway, user);
    await gate.arrived;
    const before = (await row(link)).refreshLeaseUntil;
    await expect
      .poll(async () => (await row(link)).refreshLeaseUntil, { timeout: 10_000 })
      .not.toEqual(before);
    gate.open();
    expect(await waiting).toMatch(/^access-/);
    expect(await row(link)).toMatchObject({ refreshLeaseId: null, refreshLeaseUntil: null });
  });

  it('is given back when the provider fails', async () => {
    const { user, link } = await expiredLink();
    stub.on(TOKEN, status(503, { 'retry-after': '60' }));
    await readLink(gateway, user);
    expect(await row(link)).toMatchObject({ refreshLeaseId: null, refreshLeaseUntil: null });
  });
});

describe('what is stored meanwhile', () => {
  it('by linking again is kept, whatever the renewal brings', async () => {
    for (const late of [singleUse(), REFUSED]) {
      const { user, link } = await expiredLink();
      const gate = createGate();
      stub.on(TOKEN, gate.before(late));
      const waiting = readToken(gateway, user);
      await gate.arrived;
      await linkWithTokens(gateway, user, 'forge', { accessToken: 'linked again', refreshToken: 'new' });
      gate.open();
      expect(await waiting).toBe('linked again');
      expect(await tokensOf(link)).toMatchObject({ accessToken: 'linked again', refreshToken: 'new' });
      expect(await row(link)).toMatchObject({ refreshFailureReason: null, refreshLeaseId: null });
    }
  });

  it('by unlinking stays unlinked, and the tokens that came too late are revoked', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    stub.on('POST /forge/revoke', json({}));
    const waiting = readToken(gateway, user);
    await gate.arrived;
    await gateway.graphql(
      'mutation { unlinkExternalAuth(input: { providerId: "forge" }) { __typename } }',
      {},
      user.token,
    );
    gate.open();
    expect(await waiting).toBeNull();
    expect(await gateway.runtime.db.externalAuthLink.count({ where: { userId: user.id } })).toBe(0);
    gateway.advance(2 * 60_000);
    await deliverRevocations(gateway.runtime);
    const revoked = stub.requests
      .filter(({ path }) => path === '/forge/revoke')
      .map(({ form }) => form.token);
    expect(revoked.slice(-2)).toEqual(['refresh-0', expect.stringMatching(/^refresh-.{36}$/)]);
    expect(await audits(user, 'external_auth.revoke')).toMatchObject([
      { targetId: link.id },
      { targetId: link.id },
    ]);
  });

  it('by a rotation of the encryption keys does not cost the new token', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const waiting = readToken(gateway, user);
    await gate.arrived;
    // As when the lease had run out: only then does a rotation touch the row.
    await gateway.runtime.db.externalAuthLink.update({
      where: { id: link.id },
      data: { refreshLeaseUntil: new Date(0) },
    });
    const { keyring, db, config } = gateway.runtime;
    const [key] = config.encryptionKeys ?? [];
    const other = createKeyring([Buffer.alloc(32, 9), key ?? Buffer.alloc(32)]);
    await rotateKeys({ db, keyring: other });
    const original = { decrypt: keyring.decrypt };
    keyring.decrypt = other.decrypt;
    try {
      gate.open();
      expect(await waiting).toMatch(/^access-.{36}$/);
    } finally {
      keyring.decrypt = original.decrypt;
    }
  });

  it('as a refusal gives way to a success that was on its way', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const waiting = readToken(gateway, user);
    await gate.arrived;
    // Another process took over after a long pause of this one, and was refused.
    await gateway.runtime.db.externalAuthLink.update({
      where: { id: link.id },
      data: {
        refreshToken: null,
        refreshFailureReason: 'used',
        refreshLeaseId: null,
        refreshLeaseUntil: null,
      },
    });
    gate.open();
    expect(await waiting).toMatch(/^access-.{36}$/);
    expect(await row(link)).toMatchObject({
      refreshFailureReason: null,
      refreshToken: expect.any(String),
    });
  });
});

describe('a refusal for good', () => {
  it('is kept and shown, ends all calls, and linking again clears it', async () => {
    const heard: Notification[] = [];
    const stop = gateway.runtime.notifications.subscribe((news) => {
      if (news !== 'missed') heard.push(news);
    });
    const { user, link } = await expiredLink();
    stub.on(TOKEN, REFUSED);
    const reason = 'Forge refused to renew the token: invalid_grant (The token was used.).';
    const [answers, asked] = await renewals(async () => [
      await readLink(gateway, user),
      await readLink(gateway, user),
    ]);
    expect(asked).toBe(1);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        authenticated: false,
        validation: 'INVALID',
        validateError: `The token has expired and cannot be renewed: ${reason} Link the account again.`,
        hasRefreshToken: false,
        refreshFailureReason: reason,
      });
    }
    expect(await readToken(gateway, user)).toBeNull();
    expect(await refresh(gateway, user)).toEqual({
      __typename: 'ExternalAuthRelinkRequired',
      code: 'EXTERNAL_AUTH_RELINK_REQUIRED',
      message: `${reason} Link the account again.`,
      path: ['input', 'providerId'],
    });
    expect(await audits(user, 'external_auth.refresh_failed')).toMatchObject([
      { targetId: link.id, details: { providerId: 'forge', oauthError: 'invalid_grant' } },
    ]);

    await linkWithTokens(gateway, user, 'forge');
    expect(await readLink(gateway, user)).toMatchObject({
      authenticated: true,
      refreshFailureReason: null,
    });
    stop();
    expect(heard.filter(({ userId }) => userId === user.id)).toMatchObject([
      { change: 'LINKED' },
      { change: 'BROKEN' },
      { change: 'LINKED' },
    ]);
  });

  it.each([
    'bad_refresh_token',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_client',
    'incorrect_client_credentials',
  ])('is %s as well, also with status 200', async (error) => {
    const { user } = await expiredLink();
    stub.on(TOKEN, json({ error }));
    expect(await readLink(gateway, user)).toMatchObject({
      hasRefreshToken: false,
      refreshFailureReason: expect.stringContaining(error),
    });
  });

  it('is what a crash between the answer and its storage ends in', async () => {
    const { user, link } = await expiredLink();
    // The first process used the refresh token, and took the answer with it.
    stub.on(TOKEN, singleUse('another that nobody has'));
    await leaseToAnother(link, 500);
    const [answer, asked] = await renewals(() => refresh(gateway, user));
    expect(answer).toMatchObject({ __typename: 'ExternalAuthRelinkRequired' });
    expect(asked).toBe(1);
    expect(await readLink(gateway, user)).toMatchObject({ validation: 'INVALID', hasRefreshToken: false });
  });

  it('is what a connection ends in that is cut after the refresh token was used', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, cut(), REFUSED);
    const [answers, asked] = await renewals(() =>
      Promise.all(Array.from({ length: 10 }, () => readLink(gateway, user))),
    );
    // Nobody can tell whether the provider used it: a second call may renew it, and a third could not.
    expect(asked).toBe(2);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        validation: 'INVALID',
        hasRefreshToken: false,
        validateError: expect.stringMatching(
          /invalid_grant \(The token was used\.\)\. Link the account again\.$/,
        ),
      });
    }
    const [, again] = await renewals(() => refresh(gateway, user));
    expect(again).toBe(0);
  });

  it('keeps at most 400 bytes of its reason', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, json({ error: 'invalid_grant', error_description: '🔑'.repeat(300) }, 400));
    const { refreshFailureReason } = await readLink(gateway, user);
    expect(Buffer.byteLength(refreshFailureReason)).toBeLessThanOrEqual(400);
    expect(refreshFailureReason.isWellFormed()).toBe(true);
  });
});

describe('a failure of the moment', () => {
  it.each([
    ['5xx', status(503)],
    ['a cut connection', cut()],
    ['an answer that is no OAuth', json({ hello: 'world' })],
  ])('is tried again: %s', async (_what, failure) => {
    const { user } = await expiredLink();
    stub.on(TOKEN, failure, failure, singleUse());
    const [answer, asked] = await renewals(() => readLink(gateway, user));
    expect(asked).toBe(3);
    expect(answer).toMatchObject({ authenticated: true });
  });

  it('changes nothing of the link, and says what happened', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, status(503, { 'retry-after': '60' }));
    const expected = 'Forge has a fault of its own (status 503). Try again later.';
    await expectNothingStored(gateway, async () => {
      expect(await readLink(gateway, user)).toMatchObject({
        authenticated: false,
        validation: 'UNKNOWN',
        validateError: expected,
        hasRefreshToken: true,
        refreshFailureReason: null,
      });
      expect(await refresh(gateway, user)).toEqual({
        __typename: 'ExternalAuthProviderFailure',
        code: 'PROVIDER_FAILURE',
        message: expected,
        path: null,
        transient: true,
        oauthError: null,
      });
    });
  });

  it('with Retry-After is not asked again before its time', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, status(429, { 'retry-after': '120' }), singleUse());
    const [, asked] = await renewals(async () => {
      for (let n = 0; n < 3; n += 1) await readLink(gateway, user);
    });
    expect(asked).toBe(1);
    gateway.advance(121_000);
    const [answer, again] = await renewals(() => readLink(gateway, user));
    expect(again).toBe(1);
    expect(answer).toMatchObject({ authenticated: true });
  });

  it('with a short Retry-After is waited for', async () => {
    const { user } = await expiredLink();
    stub.on(TOKEN, status(429, { 'retry-after': '1' }), singleUse());
    const started = performance.now();
    expect(await readLink(gateway, user)).toMatchObject({ authenticated: true });
    expect(performance.now() - started).toBeGreaterThanOrEqual(1_000);
  });

  it('of the grant alone, with a code that is not final, keeps the refresh token', async () => {
    const { user, link } = await expiredLink();
    stub.on(TOKEN, json({ error: 'invalid_scope' }, 400));
    const [answer, asked] = await renewals(() => refresh(gateway, user));
    expect(asked).toBe(1);
    expect(answer).toMatchObject({
      __typename: 'ExternalAuthProviderFailure',
      transient: false,
      oauthError: 'invalid_scope',
    });
    expect((await tokensOf(link)).refreshToken).toBe('refresh-0');
  });
});

describe('whoever asked', () => {
  it('may go away: the new token is stored all the same', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const hangUp = new AbortController();
    const answer = gateway
      .fetch('/graphql', {
        method: 'POST',
        token: user.token,
        signal: hangUp.signal,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: '{ viewer { externalAuthLink(providerId: "forge") { authenticated } } }',
        }),
      })
      .catch(() => null);
    await gate.arrived;
    hangUp.abort();
    await answer;
    gate.open();
    await expect
      .poll(async () => (await tokensOf(link)).accessToken, { timeout: 10_000 })
      .toMatch(/^access-.{36}$/);
  });

  it('gets the new token when the database was away while it was stored', async () => {
    const { user, link } = await expiredLink();
    const gate = createGate();
    stub.on(TOKEN, gate.before(singleUse()));
    const { db } = gateway.runtime;
    const waiting = readToken(gateway, user);
    await gate.arrived;
    // Two writes fail as they do on a server that is out of connections, while this process holds the only copy.
    await db.$executeRaw`CREATE SEQUENCE failed_writes`;
    await db.$executeRawUnsafe(`
      CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('failed_writes') <= 2 THEN RAISE EXCEPTION 'no more' USING ERRCODE = '53300'; END IF;
        RETURN NEW;
      END $$`);
    await db.$executeRaw`
      CREATE TRIGGER fail_twice BEFORE UPDATE OF access_token ON external_auth_links
      FOR EACH ROW EXECUTE FUNCTION fail_twice()`;
    try {
      gate.open();
      const token = await waiting;
      expect(token).toMatch(/^access-.{36}$/);
      expect((await tokensOf(link)).accessToken).toBe(token);
      expect(await db.$queryRaw`SELECT last_value::int AS writes FROM failed_writes`).toEqual([
        { writes: 3 },
      ]);
    } finally {
      await db.$executeRaw`DROP FUNCTION fail_twice CASCADE`;
      await db.$executeRaw`DROP SEQUENCE failed_writes`;
    }
  });
});

describe('refreshExternalAuthLink', () => {
  it('renews now, whether or not the token has expired', async () => {
    const { user, link } = await expiredLink('forge', { expiresAt: null });
    stub.on(TOKEN, singleUse());
    const [answer, asked] = await renewals(() => refresh(gateway, user));
    expect(asked).toBe(1);
    expect(answer).toEqual({
      __typename: 'RefreshExternalAuthLinkPayload',
      link: { expiresAt: expect.any(String), hasRefreshToken: true },
    });
    expect((await tokensOf(link)).accessToken).toMatch(/^access-.{36}$/);
  });

  it('tells where there is nothing to renew with', async () => {
    const { user } = await expiredLink('forge', { refreshToken: null, expiresAt: null });
    expect(await refresh(gateway, user)).toMatchObject({
      __typename: 'ExternalAuthRelinkRequired',
      message: 'Forge gave nothing to renew the token with. Link the account again.',
    });
  });

  it('finds no link, nor a provider that nobody configured', async () => {
    const { token } = await gateway.user();
    for (const id of ['forge', 'nobody', 'a\u0000b', '']) {
      expect(await refresh(gateway, { id: '', username: '', token }, id)).toMatchObject({
        __typename: 'NotFound',
        message: 'The link was not found.',
      });
    }
  });

  it('tells when the provider has left the configuration', async () => {
    const { user, link } = await expiredLink();
    await gateway.runtime.db.externalAuthLink.update({
      where: { id: link.id },
      data: { providerId: 'gone' },
    });
    expect(await refresh(gateway, user, 'gone')).toMatchObject({
      __typename: 'ExternalAuthProviderFailure',
      message: 'The provider "gone" is no longer configured.',
      transient: false,
    });
  });

  it('needs the scope external_auth:write', async () => {
    const { token } = await gateway.user(['external_auth:read']);
    const { errors } = await refresh(gateway, { id: '', username: '', token });
    expect(errors[0].extensions.code).toBe('FORBIDDEN');
  });
});

describe('a damaged secret', () => {
  it.each(['accessToken', 'refreshToken'] as const)(
    'is a state of its link and a typed error, never garbage: %s',
    async (column) => {
      const { user, link } = await expiredLink();
      const stored = link[column] ?? '';
      const damaged = stored.slice(0, -3) + (stored.at(-3) === 'A' ? 'B' : 'A') + stored.slice(-2);
      await gateway.runtime.db.externalAuthLink.update({
        where: { id: link.id },
        data: { [column]: damaged },
      });
      const words = 'A stored secret cannot be read. Ask the administrator to look at the log.';
      const [answer, asked] = await renewals(() => readLink(gateway, user));
      expect(asked).toBe(0);
      expect(answer).toMatchObject({
        authenticated: false,
        validation: 'UNKNOWN',
        validateError: words,
      });
      const { errors } = await refresh(gateway, user);
      expect(errors).toMatchObject([{ message: words, extensions: { code: 'SECRET_UNREADABLE' } }]);
    },
  );

  it('that was swapped with that of another link is found out', async () => {
    const [mine, other] = [await expiredLink(), await expiredLink()];
    await gateway.runtime.db.externalAuthLink.update({
      where: { id: mine.link.id },
      data: { accessToken: other.link.accessToken },
    });
    expect(await readLink(gateway, mine.user)).toMatchObject({ validation: 'UNKNOWN' });
  });
});
