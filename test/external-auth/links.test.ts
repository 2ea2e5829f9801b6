import { afterAll, describe, expect, it } from 'vitest';
import type { Notification } from '../../src/notifications.ts';
import { dumpDatabase } from '../database-dump.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { withoutTokenCheck } from '../statements.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { hang, json, startStub, status } from '../upstream/stub.ts';
import { linkWithTokens, linkWithUpstream, providerOf, stubEnv } from './link-account.ts';

const upstream = await startUpstream();
const stub = await startStub();
afterAll(() => Promise.all([upstream.close(), stub.close()]));

const PROVIDERS = Array.from({ length: 20 }, (_, n) => `many-${n}`);
const gateway = useGateway({
  env: {
    ...upstream.env(0, 'oidc', { DISPLAY_NAME: 'The upstream', SCOPES: 'openid profile' }),
    ...stubEnv(1, 'forge', stub.origin, { DEVICE_FLOW: 'false', NO_REFRESH: 'true', PKCE_METHODS: 'none' }),
    ...stubEnv(2, 'extras', stub.origin, { EXTRA_TOKEN_KEYS: 'team' }),
    ...Object.assign({}, ...PROVIDERS.map((id, n) => stubEnv(3 + n, id, stub.origin))),
    EXTERNAL_AUTH_99_ID: 'mute',
    EXTERNAL_AUTH_99_TYPE: 'oidc',
    EXTERNAL_AUTH_99_CLIENT_ID: 'x',
    EXTERNAL_AUTH_99_ISSUER: `${stub.origin}/mute`,
  },
});

const tokenOf = async ({ token }: TestUser, args: string) => {
  const { data, errors } = await gateway.graphql(
    `{ externalAuthToken(${args}) { providerId type linkUrl credentials { accessToken extra username password } } }`,
    {},
    token,
  );
  return errors ? { errors } : data.externalAuthToken;
};

describe('providers', () => {
  it("are listed in the order of the configuration, with the viewer's link", async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'forge');
    const { data } = await gateway.graphql(
      `{ externalAuthProviders { id type displayName displayIcon supportsDeviceFlow supportsRevocation allowRefresh
        allowValidate codeChallengeMethods scopes appInstallUrl appInstallable link { providerId } } }`,
      {},
      user.token,
    );
    expect(data.externalAuthProviders.map(({ id }: { id: string }) => id)).toEqual([
      'oidc',
      'forge',
      'extras',
      ...PROVIDERS,
      'mute',
    ]);
    expect(data.externalAuthProviders.slice(0, 2)).toEqual([
      {
        id: 'oidc',
        type: 'oidc',
        displayName: 'The upstream',
        displayIcon: '',
        supportsDeviceFlow: true,
        // The endpoint was not configured: it is discovered.
        supportsRevocation: true,
        allowRefresh: true,
        allowValidate: true,
        codeChallengeMethods: ['S256'],
        scopes: ['openid', 'profile'],
        appInstallUrl: null,
        appInstallable: false,
        link: null,
      },
      expect.objectContaining({
        id: 'forge',
        supportsDeviceFlow: false,
        allowRefresh: false,
        codeChallengeMethods: [],
        link: { providerId: 'forge' },
      }),
    ]);
  });

  it('are found by their ids, and not by others', async () => {
    const { token } = await gateway.user();
    const { data } = await gateway.graphql(
      '{ a: externalAuthProvider(id: "forge") { id } b: externalAuthProvider(id: "Forge") { id } c: externalAuthProvider(id: "constructor") { id } }',
      {},
      token,
    );
    expect(data).toEqual({ a: { id: 'forge' }, b: null, c: null });
  });

  it('are listed soon when one of them does not even describe itself', async () => {
    stub.on('GET /mute/.well-known/openid-configuration', hang());
    const { token } = await gateway.user();
    const started = performance.now();
    const { data } = await gateway.graphql(
      '{ externalAuthProvider(id: "mute") { supportsRevocation allowValidate } }',
      {},
      token,
    );
    expect(data.externalAuthProvider).toEqual({ supportsRevocation: false, allowValidate: false });
    expect(performance.now() - started).toBeLessThan(9_000);
  });

  it('are made once in a process', () => {
    expect(providerOf(gateway, 'oidc')).toBe(providerOf(gateway, 'oidc'));
  });
});

describe('links', () => {
  it('tell who the account is, by a real provider', async () => {
    const user = await gateway.user();
    const link = await linkWithUpstream(gateway, upstream, user, 'oidc', 'grace');
    const { data } = await gateway.graphql(
      `{ viewer { externalAuthLink(providerId: "oidc") { id uuid providerId provider { displayName } authenticated
        hasRefreshToken expiresAt refreshFailureReason account { id login name avatarUrl profileUrl } createdAt } } }`,
      {},
      user.token,
    );
    expect(data.viewer.externalAuthLink).toEqual({
      id: Buffer.from(`ExternalAuthLink:${link.id}`).toString('base64'),
      uuid: link.id,
      providerId: 'oidc',
      provider: { displayName: 'The upstream' },
      authenticated: true,
      hasRefreshToken: true,
      expiresAt: link.expiresAt?.toISOString(),
      refreshFailureReason: null,
      account: {
        id: 'grace',
        login: 'grace',
        name: 'grace of the upstream',
        avatarUrl: `${upstream.issuer}/avatars/grace.png`,
        profileUrl: `${upstream.issuer}/people/grace`,
      },
      createdAt: link.createdAt.toISOString(),
    });
  });

  it('are one for each provider: linking again replaces the tokens and keeps the link', async () => {
    const user = await gateway.user();
    const first = await linkWithTokens(gateway, user, 'oidc');
    await gateway.runtime.db.externalAuthLink.update({
      where: { id: first.id },
      data: { refreshFailureReason: 'once upon a time' },
    });
    const second = await linkWithTokens(gateway, user, 'oidc', { refreshToken: null });
    expect(second).toMatchObject({
      id: first.id,
      createdAt: first.createdAt,
      refreshToken: null,
      refreshFailureReason: null,
    });
    expect(second.updatedAt > first.updatedAt).toBe(true);
    const events = await gateway.runtime.db.auditEvent.findMany({
      where: { userId: user.id, action: 'external_auth.link' },
      orderBy: { id: 'asc' },
    });
    expect(events).toMatchObject([
      { targetId: first.id, details: { providerId: 'oidc', replaced: false, hasRefreshToken: true } },
      { targetId: first.id, details: { providerId: 'oidc', replaced: true, hasRefreshToken: false } },
    ]);
  });

  it('are one for each provider, also when two requests link at once', async () => {
    const user = await gateway.user();
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        linkWithTokens(gateway, user, 'oidc', { accessToken: `access-${n}` }),
      ),
    );
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(await gateway.runtime.db.externalAuthLink.count({ where: { userId: user.id } })).toBe(1);
  });

  it('are listed with the one first that was linked or renewed last', async () => {
    const user = await gateway.user();
    for (const id of ['oidc', 'forge', 'extras', 'oidc']) await linkWithTokens(gateway, user, id);
    const { data } = await gateway.graphql('{ viewer { externalAuthLinks { providerId } } }', {}, user.token);
    expect(data.viewer.externalAuthLinks.map(({ providerId }: { providerId: string }) => providerId)).toEqual(
      ['oidc', 'extras', 'forge'],
    );
  });

  it('are read with as many statements whether there is 1 or there are 20, their providers asked', async () => {
    for (const id of PROVIDERS) {
      stub.on(`GET /${id}/validate`, json({}));
      stub.on(`GET /${id}/userinfo`, json({ sub: 'ada' }));
    }
    const query = `{
      viewer { externalAuthLinks { id validation account { login } expiresAt provider { link { uuid } } } }
      externalAuthProviders { link { authenticated } }
    }`;
    const statementsFor = async (providers: string[]) => {
      const user = await gateway.user();
      for (const id of providers) await linkWithTokens(gateway, user, id);
      const { token } = user;
      // Notes that the token was used.
      await gateway.graphql('{ viewer { id } }', {}, token);
      const before = gateway.statements.length;
      const { data, errors } = await gateway.graphql(query, {}, token);
      expect(errors).toBeUndefined();
      expect(data.viewer.externalAuthLinks).toHaveLength(providers.length);
      return withoutTokenCheck(gateway.statements.slice(before)).length;
    };
    expect(await statementsFor(PROVIDERS)).toBe(await statementsFor(PROVIDERS.slice(0, 1)));
  });

  it('tell those who listen that something has changed, and no secret', async () => {
    const heard: Notification[] = [];
    const stop = gateway.runtime.notifications.subscribe((news) => {
      if (news !== 'missed') heard.push(news);
    });
    const user = await gateway.user();
    stub.on('POST /extras/revoke', json({}));
    await linkWithTokens(gateway, user, 'extras');
    await gateway.graphql(
      'mutation { unlinkExternalAuth(input: { providerId: "extras" }) { __typename } }',
      {},
      user.token,
    );
    stop();
    expect(heard.filter(({ userId }) => userId === user.id)).toEqual([
      { kind: 'external_auth_link', userId: user.id, providerId: 'extras', change: 'LINKED' },
      { kind: 'external_auth_link', userId: user.id, providerId: 'extras', change: 'UNLINKED' },
    ]);
  });

  it('need the scope external_auth:read, every way', async () => {
    const user = await gateway.user(['user:read', 'external_auth:token']);
    for (const query of [
      '{ viewer { externalAuthLinks { id } } }',
      '{ viewer { externalAuthLink(providerId: "oidc") { id } } }',
      '{ externalAuthProviders { id } }',
      '{ externalAuthProvider(id: "oidc") { id } }',
    ]) {
      const { errors } = await gateway.graphql(query, {}, user.token);
      expect(errors?.[0]).toMatchObject({
        message: 'Your token lacks the scope external_auth:read.',
        extensions: { code: 'FORBIDDEN' },
      });
    }
  });
});

describe('secrets', () => {
  it('are nowhere in the database in plain text, nor in the log', async () => {
    const user = await gateway.user();
    const canaries = ['canary-access-8c1f', 'canary-refresh-8c1f', 'canary-extra-8c1f'];
    const [accessToken = '', refreshToken = '', team] = canaries;
    await linkWithTokens(gateway, user, 'extras', { accessToken, refreshToken, extra: { team } });
    stub.on('GET /extras/validate', status(500));
    stub.on('POST /extras/revoke', status(503));
    await gateway.graphql('{ viewer { externalAuthLinks { validateError } } }', {}, user.token);
    const stored = JSON.stringify(await dumpDatabase(gateway));
    await gateway.graphql(
      'mutation { unlinkExternalAuth(input: { providerId: "extras" }) { __typename } }',
      {},
      user.token,
    );
    // The outbox now holds what the link held.
    const left = JSON.stringify(await dumpDatabase(gateway));
    expect(left).toContain(user.id);
    const log = gateway.logLines.join('');
    for (const canary of canaries) {
      expect(stored).not.toContain(canary);
      expect(left).not.toContain(canary);
      expect(log).not.toContain(canary);
    }
  });
});

describe('a token for a machine', () => {
  it('is handed out, with what git needs, and the hand-out is on record', async () => {
    const user = await gateway.user(['external_auth:token']);
    await linkWithTokens(gateway, user, 'extras', { extra: { team: { name: 'acme' } } });
    stub.on('GET /extras/validate', json({}));
    const expected = {
      providerId: 'extras',
      type: 'oauth2',
      linkUrl: `${gateway.origin}/external-auth/extras`,
      credentials: {
        accessToken: 'access-0',
        extra: { team: { name: 'acme' } },
        username: 'access-0',
        password: '',
      },
    };
    expect(await tokenOf(user, 'id: "extras"')).toEqual(expected);
    expect(await tokenOf(user, 'match: "https://extras.example/acme/site.git"')).toEqual(expected);
    const events = await gateway.runtime.db.auditEvent.findMany({
      where: { userId: user.id, action: 'external_auth.token_handed_out' },
    });
    expect(events).toMatchObject([
      { details: { providerId: 'extras' }, tokenId: expect.any(String), requestId: expect.any(String) },
      { details: { providerId: 'extras' } },
    ]);
    expect(JSON.stringify(events)).not.toContain('access-0');
  });

  it('that has not expired is handed out when the provider cannot be asked, and not when it says no', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'extras');
    stub.on('GET /extras/validate', status(500), status(401));
    expect(await tokenOf(user, 'id: "extras"')).toMatchObject({ credentials: { accessToken: 'access-0' } });
    expect(await tokenOf(user, 'id: "extras"')).toMatchObject({ credentials: null });
  });

  it('that has expired and cannot be renewed for now is an error, and not "link again"', async () => {
    const user = await gateway.user();
    await linkWithTokens(gateway, user, 'extras', { expiresAt: new Date(0) });
    stub.on('POST /extras/token', status(503, { 'retry-after': '60' }));
    const { errors } = await tokenOf(user, 'id: "extras"');
    expect(errors).toMatchObject([{ extensions: { code: 'PROVIDER_FAILURE' } }]);
  });

  it('is not there without a link, and nothing is recorded', async () => {
    const user = await gateway.user();
    expect(await tokenOf(user, 'id: "extras"')).toMatchObject({ credentials: null });
    expect(await tokenOf(user, 'id: "nowhere"')).toBeNull();
    const where = { userId: user.id, action: 'external_auth.token_handed_out' };
    expect(await gateway.runtime.db.auditEvent.count({ where })).toBe(0);
  });

  it('takes one of match and id', async () => {
    const user = await gateway.user();
    for (const args of ['match: "x", id: "extras"', 'match: null']) {
      const { errors } = await tokenOf(user, args);
      expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    }
  });

  it('needs the scope external_auth:token, and no other opens it but admin', async () => {
    const user = await gateway.user(['external_auth:write', 'external_auth:read', 'user:read']);
    const { errors } = await tokenOf(user, 'id: "extras"');
    expect(errors).toMatchObject([
      { message: 'Your token lacks the scope external_auth:token.', extensions: { code: 'FORBIDDEN' } },
    ]);
  });
});
