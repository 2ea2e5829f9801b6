import { systemActor } from '../../src/accounts/accounts.service.ts';
import { saveLink } from '../../src/external-auth/link-store.ts';
import { callbackUrl } from '../../src/external-auth/provider-registry.ts';
import type { Provider, TokenSet } from '../../src/external-auth/providers/provider.ts';
import type { ExternalAuthLink } from '../../src/generated/prisma/client.ts';
import type { TestGateway, TestUser } from '../harness.ts';
import type { Upstream } from '../upstream/oidc.ts';
import type { Behaviour } from '../upstream/stub.ts';

/** The gateway's provider of that id. */
export function providerOf({ runtime }: TestGateway, id: string): Provider {
  const provider = runtime.providers.find(id);
  if (!provider) throw new Error(`The gateway has no provider "${id}".`);
  return provider;
}

/** Links a user's account with tokens that the upstream has issued. */
export async function linkWithUpstream(
  gateway: TestGateway,
  upstream: Upstream,
  user: TestUser,
  providerId: string,
  login = 'ada',
): Promise<ExternalAuthLink> {
  const provider = providerOf(gateway, providerId);
  const redirectUri = callbackUrl(gateway.origin, providerId);
  const request = { redirectUri, state: 'a state', codeVerifier: 'v'.repeat(43) };
  const callback = await upstream.grant(await provider.authorizationUrl(request), { login });
  const tokens = await provider.exchangeCode(callback, request);
  return saveLink(gateway.runtime, systemActor(user.id), provider, tokens);
}

/** Links a user's account with tokens of the test's own. */
export function linkWithTokens(
  gateway: TestGateway,
  user: TestUser,
  providerId: string,
  tokens: Partial<TokenSet> = {},
): Promise<ExternalAuthLink> {
  return saveLink(gateway.runtime, systemActor(user.id), providerOf(gateway, providerId), {
    accessToken: 'access-0',
    refreshToken: 'refresh-0',
    expiresAt: new Date(gateway.runtime.clock().getTime() + 3_600_000),
    extra: {},
    ...tokens,
  });
}

/** The environment of a provider at a stub, generic unless `more` says otherwise. */
export function stubEnv(
  n: number,
  id: string,
  origin: string,
  more: Record<string, string> = {},
): Record<string, string> {
  return Object.fromEntries(
    Object.entries({
      ID: id,
      TYPE: 'oauth2',
      DISPLAY_NAME: 'Forge',
      CLIENT_ID: 'the-client',
      CLIENT_SECRET: 'the-client-secret',
      TOKEN_AUTH_METHOD: 'client_secret_post',
      AUTH_URL: `${origin}/authorize`,
      TOKEN_URL: `${origin}/${id}/token`,
      VALIDATE_URL: `${origin}/${id}/validate`,
      REVOKE_URL: `${origin}/${id}/revoke`,
      USERINFO_URL: `${origin}/${id}/userinfo`,
      REGEX: `${id}\\.example`,
      ...more,
    })
      .filter(([, value]) => value !== '')
      .map(([key, value]) => [`EXTERNAL_AUTH_${n}_${key}`, value]),
  );
}

/** A door that the test opens. Who waits at it has arrived for certain. */
export function createGate() {
  let open = () => {};
  let arrive = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  return {
    open: () => open(),
    arrived,
    /** Answers as `then`, once the door is open. */
    before:
      (then: Behaviour): Behaviour =>
      (response, request) => {
        arrive();
        void opened.then(() => then(response, request));
      },
  };
}
