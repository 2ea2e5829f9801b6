import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProviderSettings, parseProviders } from '../../src/external-auth/provider-settings.ts';
import { createProvider } from '../../src/external-auth/providers/create-provider.ts';
import { isPermanentRefreshFailure, type Provider } from '../../src/external-auth/providers/provider.ts';
import { startUpstream, type Upstream } from '../upstream/oidc.ts';

const redirectUri = 'http://gatehouse.test/external-auth/oidc/callback';
const codeVerifier = 'v'.repeat(43);
const state = 'a-state-that-nobody-guesses';

let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.close());

function provider(more: Record<string, string> = {}, fetch = globalThis.fetch): Provider {
  const { providers, faults } = parseProviders(upstream.env(0, 'oidc', more), null);
  expect(faults).toEqual([]);
  const [settings] = providers;
  if (!settings) throw new Error('no provider');
  return createProvider(settings, { fetch, clock: () => new Date() });
}

async function signIn(oidc: Provider, login = 'ada') {
  const url = await oidc.authorizationUrl({ redirectUri, state, codeVerifier });
  const callback = await upstream.grant(url, { login });
  return oidc.exchangeCode(callback, { redirectUri, state, codeVerifier });
}

describe('an OpenID Connect provider of which the issuer is known', () => {
  it('grants tokens on the web flow, with PKCE', async () => {
    const oidc = provider();
    const url = await oidc.authorizationUrl({ redirectUri, state, codeVerifier });
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
    const tokens = await signIn(oidc);
    expect(tokens.accessToken).toMatch(/.{20}/);
    expect(tokens.refreshToken).toMatch(/.{20}/);
    expect(tokens.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
    expect(await oidc.validate(tokens.accessToken)).toEqual({ state: 'valid' });
    expect(await oidc.account(tokens.accessToken)).toEqual({
      id: 'ada',
      login: 'ada',
      name: 'ada of the upstream',
      avatarUrl: `${upstream.issuer}/avatars/ada.png`,
      profileUrl: `${upstream.issuer}/people/ada`,
    });
  });

  it('renews a token once with each refresh token', async () => {
    const oidc = provider();
    const { refreshToken } = await signIn(oidc);
    const renewed = await oidc.refresh(refreshToken ?? '');
    expect(renewed.refreshToken).not.toBe(refreshToken);
    expect(await oidc.validate(renewed.accessToken)).toEqual({ state: 'valid' });

    const failure = await oidc.refresh(refreshToken ?? '').catch((error) => error);
    expect(failure).toMatchObject({ transient: false, oauthError: 'invalid_grant' });
    expect(isPermanentRefreshFailure(failure)).toBe(true);
    expect(failure.message).not.toContain(refreshToken);
  });

  it('revokes', async () => {
    const oidc = provider();
    const tokens = await signIn(oidc);
    await oidc.revoke(tokens);
    expect(oidc.supportsRevocation).toBe(true);
    await expect(oidc.refresh(tokens.refreshToken ?? '')).rejects.toMatchObject({
      oauthError: 'invalid_grant',
    });
    expect(await oidc.validate(tokens.accessToken)).toEqual({
      state: 'invalid',
      reason: 'oidc no longer accepts the token (status 401). Link the account again.',
    });
  });

  it('grants tokens to a device', async () => {
    const oidc = provider();
    const device = await oidc.startDevice();
    expect(device).toMatchObject({
      interval: 5,
      expiresIn: 600,
      verificationUri: `${upstream.issuer}/device`,
    });
    await expect(oidc.pollDevice(device.deviceCode)).rejects.toMatchObject({
      oauthError: 'authorization_pending',
      transient: true,
    });
    await upstream.approveDevice(device.verificationUriComplete ?? '', { login: 'grace' });
    const tokens = await oidc.pollDevice(device.deviceCode);
    expect(await oidc.account(tokens.accessToken)).toMatchObject({ login: 'grace' });
    expect(tokens.refreshToken).not.toBeNull();
    await expect(oidc.pollDevice(device.deviceCode)).rejects.toMatchObject({
      oauthError: 'invalid_grant',
      transient: false,
    });
  });

  it('tells when the user turned the device down', async () => {
    const oidc = provider();
    const device = await oidc.startDevice();
    await upstream.denyDevice(device.verificationUriComplete ?? '');
    await expect(oidc.pollDevice(device.deviceCode)).rejects.toMatchObject({
      oauthError: 'access_denied',
      transient: false,
    });
  });

  it('tells when the user did not grant access', async () => {
    const oidc = provider();
    const callback = await upstream.deny(await oidc.authorizationUrl({ redirectUri, state, codeVerifier }));
    await expect(oidc.exchangeCode(callback, { redirectUri, state, codeVerifier })).rejects.toMatchObject({
      oauthError: 'access_denied',
      transient: false,
    });
  });

  it.each([
    ['state', 'another'],
    ['state', ''],
    ['iss', 'https://evil.example'],
    ['iss', ''],
    ['code', ''],
  ])('takes no answer whose %s is "%s"', async (parameter, value) => {
    const oidc = provider();
    const url = await oidc.authorizationUrl({ redirectUri, state, codeVerifier });
    const callback = await upstream.grant(url);
    callback.searchParams.set(parameter, value);
    if (value === '') callback.searchParams.delete(parameter);
    const asked = upstream.count();
    await expect(oidc.exchangeCode(callback, { redirectUri, state, codeVerifier })).rejects.toMatchObject({
      transient: false,
      oauthError: null,
    });
    expect(upstream.count()).toBe(asked);
  });

  it('is refused with another code verifier, and with a code that was used', async () => {
    const oidc = provider();
    const url = await oidc.authorizationUrl({ redirectUri, state, codeVerifier });
    const callback = await upstream.grant(url);
    await expect(
      oidc.exchangeCode(callback, { redirectUri, state, codeVerifier: 'w'.repeat(43) }),
    ).rejects.toMatchObject({ oauthError: 'invalid_grant' });

    const second = await upstream.grant(url);
    await oidc.exchangeCode(second, { redirectUri, state, codeVerifier });
    await expect(oidc.exchangeCode(second, { redirectUri, state, codeVerifier })).rejects.toMatchObject({
      oauthError: 'invalid_grant',
    });
  });

  it('knows what it can do before anything was asked', async () => {
    const oidc = provider();
    expect(oidc.supportsRevocation).toBe(false);
    expect(await oidc.capabilities()).toEqual({ revocation: true, validation: true });
    expect(oidc.supportsRevocation).toBe(true);
  });

  it('discovers once, and again an hour later', async () => {
    let now = new Date('2026-01-01T00:00:00Z');
    const { providers } = parseProviders(upstream.env(0, 'oidc'), null);
    const oidc = createProvider(providers[0] as ProviderSettings, { fetch, clock: () => now });
    const discoveries = () => upstream.count('GET /.well-known/openid-configuration');
    const before = discoveries();
    await Promise.all([oidc.startDevice(), oidc.startDevice(), oidc.capabilities()]);
    expect(discoveries()).toBe(before + 1);
    now = new Date('2026-01-01T01:00:01Z');
    await oidc.startDevice();
    expect(discoveries()).toBe(before + 2);
  });

  it('discovers again after it failed to', async () => {
    let isDown = true;
    const oidc = provider({}, async (input, init) =>
      isDown ? new Response('down', { status: 503 }) : fetch(input, init),
    );
    await expect(oidc.startDevice()).rejects.toMatchObject({ transient: true });
    isDown = false;
    await expect(oidc.startDevice()).resolves.toMatchObject({ interval: 5 });
  });
});

describe('a provider with explicit URLs', () => {
  const explicit = () => ({
    ISSUER: '',
    AUTH_URL: `${upstream.issuer}/auth`,
    TOKEN_URL: `${upstream.issuer}/token`,
    DEVICE_CODE_URL: `${upstream.issuer}/device/auth`,
    SCOPES: 'openid profile',
  });

  it('needs no discovery', async () => {
    const oidc = provider(explicit());
    const before = upstream.count('GET /.well-known/openid-configuration');
    const tokens = await signIn(oidc);
    expect(await oidc.validate(tokens.accessToken)).toEqual({ state: 'not_validated' });
    expect(await oidc.account(tokens.accessToken)).toBeNull();
    expect(await oidc.installations(tokens.accessToken)).toEqual([]);
    expect(await oidc.capabilities()).toEqual({ revocation: false, validation: false });
    expect(upstream.count('GET /.well-known/openid-configuration')).toBe(before);
    await expect(oidc.revoke(tokens)).rejects.toMatchObject({
      transient: false,
      message: 'oidc has no revocation endpoint. The administrator can set REVOKE_URL for "oidc".',
    });
  });

  it('takes an issuer of the same origin only', async () => {
    const oidc = provider(explicit());
    const callback = await upstream.grant(await oidc.authorizationUrl({ redirectUri, state, codeVerifier }));
    callback.searchParams.set('iss', 'https://evil.example');
    await expect(oidc.exchangeCode(callback, { redirectUri, state, codeVerifier })).rejects.toThrow(
      'another issuer',
    );
  });

  it('sends the secret in the form where HTTP Basic is refused, and remembers that', async () => {
    const methods: string[] = [];
    const oidc = provider(explicit(), async (input, init) => {
      const isBasic = new Headers(init?.headers).has('authorization');
      methods.push(isBasic ? 'basic' : 'form');
      return isBasic ? Response.json({ error: 'invalid_client' }, { status: 401 }) : fetch(input, init);
    });
    await oidc.startDevice();
    await oidc.startDevice();
    expect(methods).toEqual(['basic', 'form', 'form']);
  });

  it('answers a wrong secret in words that do not give it away', async () => {
    const oidc = provider({ ...explicit(), CLIENT_SECRET: 'quite-the-wrong-secret' });
    const failure = await oidc.startDevice().catch((error) => error);
    expect(failure).toMatchObject({ oauthError: 'invalid_client', transient: false });
    expect(failure.message).toBe(
      'oidc refused to start the sign-in with a code: invalid_client (client authentication failed).',
    );
  });
});
