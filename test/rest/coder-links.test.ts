import { afterAll, describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { startGateway, useGateway } from '../harness.ts';
import { startUpstream } from '../upstream/oidc.ts';
import { askCoder, NOT_FOUND } from './coder-client.ts';
import { linkByDevice } from './coder-link.ts';

const upstream = await startUpstream();
/** A second one, which a test takes away. */
const doomed = await startUpstream();
afterAll(() => Promise.all([upstream.close(), doomed.close()]));

const gateway = useGateway({
  env: {
    ...upstream.env(0, 'forge', { DISPLAY_NAME: 'Forge' }),
    ...upstream.env(1, 'wiki', { NO_REFRESH: 'true', DEVICE_FLOW: 'true' }),
    ...upstream.env(2, 'web-only', { DEVICE_FLOW: 'false' }),
    ...doomed.env(3, 'doomed'),
  },
});

const ZERO_TIME = '0001-01-01T00:00:00Z';

describe('GET /external-auth', () => {
  it('shows all links, the last updated first, and that one on top as well', async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge');
    await linkByDevice(gateway, upstream, token, 'wiki');
    const { status, body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(status).toBe(200);
    const { links, providers, ...first } = body;
    expect(links.map((link: { provider_id: string }) => link.provider_id)).toEqual(['wiki', 'forge']);
    expect(first).toEqual(links[0]);
    for (const link of links) {
      expect(link).toEqual({
        provider_id: expect.any(String),
        created_at: expect.stringMatching(/^2\d{3}-.*Z$/),
        updated_at: expect.stringMatching(/^2\d{3}-.*Z$/),
        has_refresh_token: expect.any(Boolean),
        expires: expect.stringMatching(/^2\d{3}-.*Z$/),
        authenticated: true,
        validate_error: '',
      });
    }
    expect(providers).toHaveLength(4);
  });

  it('has zero values on top, and empty lists, when there is no link', async () => {
    const { token } = await gateway.user();
    const { status, body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(status).toBe(200);
    const { providers: _, ...rest } = body;
    expect(rest).toEqual({
      provider_id: '',
      created_at: ZERO_TIME,
      updated_at: ZERO_TIME,
      has_refresh_token: false,
      expires: ZERO_TIME,
      authenticated: false,
      validate_error: '',
      links: [],
    });
  });

  it('has an empty list of providers when none is configured', async () => {
    const { gateway: bare, close } = await startGateway();
    try {
      const { token } = await bare.user();
      const { body } = await askCoder(bare, 'GET /external-auth', { token });
      expect(body).toMatchObject({ links: [], providers: [] });
    } finally {
      await close();
    }
  });

  it('describes every provider, in the order of the configuration, with no field left out', async () => {
    const { token } = await gateway.user();
    const { body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(body.providers.map(({ id }: { id: string }) => id)).toEqual([
      'forge',
      'wiki',
      'web-only',
      'doomed',
    ]);
    expect(body.providers[0]).toEqual({
      id: 'forge',
      type: 'oidc',
      device: true,
      display_name: 'Forge',
      display_icon: expect.any(String),
      allow_refresh: true,
      allow_validate: true,
      supports_revocation: true,
      code_challenge_methods_supported: ['S256'],
    });
    expect(body.providers[1]).toMatchObject({ id: 'wiki', allow_refresh: false });
    expect(body.providers[2]).toMatchObject({ id: 'web-only', device: false });
  });

  it('shows a token that never expires with the zero time', async () => {
    const { id, token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge');
    await gateway.runtime.db.externalAuthLink.updateMany({
      where: { userId: id },
      data: { expiresAt: null },
    });
    const { body } = await askCoder(gateway, 'GET /external-auth', { token });
    expect(body.links[0]).toMatchObject({ expires: ZERO_TIME, authenticated: true });
  });

  it('shows only the own links', async () => {
    const [ada, grace] = [await gateway.user(), await gateway.user()];
    await linkByDevice(gateway, upstream, ada.token, 'forge');
    const { body } = await askCoder(gateway, 'GET /external-auth', { token: grace.token });
    expect(body.links).toEqual([]);
  });

  it('takes a trailing slash', async () => {
    const { token } = await gateway.user();
    expect((await askCoder(gateway, 'GET /external-auth/', { token })).status).toBe(200);
  });
});

describe('GET /external-auth/{externalauth}', () => {
  it('shows the linked account', async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge', 'grace');
    const { status, body } = await askCoder(gateway, 'GET /external-auth/forge', { token });
    expect(status).toBe(200);
    expect(body).toEqual({
      authenticated: true,
      device: true,
      display_name: 'Forge',
      supports_revocation: true,
      // The upstream names its accounts by texts, and this dialect by numbers.
      user: {
        id: 0,
        login: 'grace',
        name: 'grace of the upstream',
        avatar_url: `${upstream.issuer}/avatars/grace.png`,
        profile_url: `${upstream.issuer}/people/grace`,
      },
      app_installable: false,
      installations: [],
      app_install_url: '',
    });
  });

  it("shows the account's number where the provider has one", async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge', '20011');
    const { body } = await askCoder(gateway, 'GET /external-auth/forge', { token });
    expect(body.user).toMatchObject({ id: 20011, login: '20011' });
  });

  it('answers 200 without a link, with no user and empty installations', async () => {
    const { token } = await gateway.user();
    const { status, body } = await askCoder(gateway, 'GET /external-auth/forge/', { token });
    expect(status).toBe(200);
    expect(body).toMatchObject({ authenticated: false, user: null, installations: [] });
  });

  it("does not show a stranger's account", async () => {
    const [ada, grace] = [await gateway.user(), await gateway.user()];
    await linkByDevice(gateway, upstream, ada.token, 'forge');
    const { body } = await askCoder(gateway, 'GET /external-auth/forge', { token: grace.token });
    expect(body).toMatchObject({ authenticated: false, user: null });
  });

  it('answers HEAD as GET, without a body', async () => {
    const { token } = await gateway.user();
    const { status, text } = await askCoder(gateway, 'HEAD /external-auth/forge', { token });
    expect({ status, text }).toEqual({ status: 200, text: '' });
  });
});

describe('DELETE /external-auth/{externalauth}', () => {
  it('unlinks, revokes upstream and says so; no error is an absent field', async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge');
    const revocations = upstream.count('POST /token/revocation');
    const { status, body } = await askCoder(gateway, 'DELETE /external-auth/forge', { token });
    expect(status).toBe(200);
    expect(body).toEqual({ token_revoked: true });
    expect(upstream.count('POST /token/revocation')).toBe(revocations + 1);
    const list = await askCoder(gateway, 'GET /external-auth', { token });
    expect(list.body.links).toEqual([]);
  });

  it('answers 404 without a link, twice, and for a link of somebody else', async () => {
    const [ada, grace] = [await gateway.user(), await gateway.user()];
    await linkByDevice(gateway, upstream, ada.token, 'forge');
    for (let time = 0; time < 2; time++) {
      const { status, body } = await expectNothingStored(gateway, () =>
        askCoder(gateway, 'DELETE /external-auth/forge', { token: grace.token }),
      );
      expect({ status, body }).toEqual({ status: 404, body: NOT_FOUND });
    }
    const { body } = await askCoder(gateway, 'GET /external-auth', { token: ada.token });
    expect(body.links).toHaveLength(1);
  });

  it('takes a trailing slash', async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge');
    const { status } = await askCoder(gateway, 'DELETE /external-auth/forge/', { token });
    expect(status).toBe(200);
  });
});

describe('a provider that left the configuration', () => {
  it('is unknown, but its link is listed as not authenticated, and can be deleted', async () => {
    const { id, token } = await gateway.user();
    await linkByDevice(gateway, upstream, token, 'forge');
    await gateway.runtime.db.externalAuthLink.updateMany({
      where: { userId: id },
      data: { providerId: 'removed' },
    });
    const list = await askCoder(gateway, 'GET /external-auth', { token });
    expect(list.body.links).toEqual([
      expect.objectContaining({ provider_id: 'removed', authenticated: false }),
    ]);
    expect(list.body).toMatchObject({ provider_id: 'removed', authenticated: false });
    expect((await askCoder(gateway, 'GET /external-auth/removed', { token })).status).toBe(404);

    const { status, body } = await askCoder(gateway, 'DELETE /external-auth/removed', { token });
    expect(status).toBe(200);
    expect(body.token_revoked).toBe(false);
    expect((await askCoder(gateway, 'GET /external-auth', { token })).body.links).toEqual([]);
  });
});

describe('a provider that went away', () => {
  it('fails nothing but what is its own', async () => {
    const { token } = await gateway.user();
    await linkByDevice(gateway, doomed, token, 'doomed');
    await linkByDevice(gateway, upstream, token, 'forge');
    await doomed.close();

    const list = await askCoder(gateway, 'GET /external-auth', { token });
    expect(list.status).toBe(200);
    expect(list.body.links).toEqual([
      expect.objectContaining({ provider_id: 'forge', authenticated: true, validate_error: '' }),
      expect.objectContaining({ provider_id: 'doomed', validate_error: expect.stringMatching(/./) }),
    ]);

    const one = await askCoder(gateway, 'GET /external-auth/doomed', { token });
    expect(one.status).toBe(502);
    expect(one.body).toEqual({ message: expect.any(String), detail: expect.any(String) });

    const deletion = await askCoder(gateway, 'DELETE /external-auth/doomed', { token });
    expect(deletion.status).toBe(200);
    expect(deletion.body).toEqual({
      token_revoked: false,
      token_revocation_error: expect.stringMatching(/./),
    });
    expect((await askCoder(gateway, 'GET /external-auth', { token })).body.links).toHaveLength(1);
  });
});

it('says that nobody knows, and shows nothing, when a stored token is damaged', async () => {
  const { id, token } = await gateway.user();
  await linkByDevice(gateway, upstream, token, 'forge');
  await gateway.runtime.db.externalAuthLink.updateMany({
    where: { userId: id },
    data: { accessToken: 'v1.00000000.canary' },
  });
  const { status, body, text } = await askCoder(gateway, 'GET /external-auth/forge', { token });
  expect(status).toBe(502);
  expect(body).toEqual({ message: expect.any(String), detail: expect.stringContaining('administrator') });
  expect(text).not.toContain('canary');
});
