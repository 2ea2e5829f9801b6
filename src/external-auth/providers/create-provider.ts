import * as oauth from 'oauth4webapi';
import { createApiReader } from './api-reader.ts';
import { checkCallback } from './check-callback.ts';
import { createEndpoints } from './endpoints.ts';
import { createOAuthCalls, type OAuthCall } from './oauth-calls.ts';
import { createOutgoing } from './outgoing.ts';
import { type CreateProvider, ProviderFailure, type TokenSet } from './provider.ts';
import type { TypeContext } from './provider-type.ts';
import { findProviderType } from './provider-types.ts';
import { validateToken } from './validate-token.ts';

export const createProvider: CreateProvider = (settings, { fetch, clock, redirectUri, limits }) => {
  const type = findProviderType(settings.type);
  const name = settings.displayName;
  const client: oauth.Client = { client_id: settings.clientId };
  const endpoints = createEndpoints(settings, { clock, send: () => send });
  const send = createOutgoing({ name, fetch, clock, isAllowed: endpoints.isAllowed, limits });
  const call = createOAuthCalls({ settings, type, endpoints, send, redirectUri });
  const api = createApiReader(name, send);

  const requestTokens = (request: Pick<OAuthCall<TokenSet>, 'deed' | 'secrets' | 'request'>) =>
    call({
      ...request,
      endpoint: 'token_endpoint',
      async read(server, response, body) {
        const answer = await oauth.processGenericTokenEndpointResponse(server, client, response);
        const { expires_in: seconds } = answer;
        return {
          accessToken: answer.access_token,
          refreshToken: answer.refresh_token ?? null,
          expiresAt: seconds ? new Date(clock().getTime() + seconds * 1_000) : null,
          extra: pick(body, settings.extraTokenKeys),
        };
      },
    });

  /** The settings with the endpoint that only discovery knows. */
  async function typeContext(): Promise<TypeContext> {
    const userInfo = settings.userInfoUrl ? null : await endpoints.find('userinfo_endpoint');
    return {
      settings: userInfo ? { ...settings, userInfoUrl: userInfo.url.href } : settings,
      send,
      getJson: api.getJson,
    };
  }

  return {
    settings,
    get supportsRevocation() {
      return 'revocation_endpoint' in endpoints.known();
    },

    async capabilities() {
      const has = (endpoint: 'revocation_endpoint' | 'userinfo_endpoint') =>
        endpoints.find(endpoint).then(Boolean, () => false);
      return {
        revocation: await has('revocation_endpoint'),
        validation: settings.validateUrl !== null || (await has('userinfo_endpoint')),
      };
    },

    async authorizationUrl({ redirectUri, state, codeVerifier }) {
      const { url } = await endpoints.require('authorization_endpoint');
      const parameters: Record<string, string> = {
        response_type: 'code',
        ...(settings.scopes.length > 0 && { scope: settings.scopes.join(' ') }),
        ...type.authorizationParameters?.(settings),
        ...settings.authParams,
        client_id: settings.clientId,
        redirect_uri: redirectUri,
        state,
      };
      if (codeVerifier !== null) {
        parameters.code_challenge = await oauth.calculatePKCECodeChallenge(codeVerifier);
        parameters.code_challenge_method = 'S256';
      }
      for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
      return url;
    },

    async exchangeCode(callback, { redirectUri, state, codeVerifier }) {
      const { server } = await endpoints.require('token_endpoint');
      const parameters = checkCallback(callback, { state, server, client, settings });
      return requestTokens({
        deed: 'refused the sign-in',
        secrets: [parameters.get('code') ?? '', codeVerifier ?? ''],
        request: (as, auth, options) =>
          oauth.authorizationCodeGrantRequest(
            as,
            client,
            auth,
            parameters,
            redirectUri,
            codeVerifier ?? oauth.nopkce,
            options,
          ),
      });
    },

    startDevice: () =>
      call({
        endpoint: 'device_authorization_endpoint',
        deed: 'refused to start the sign-in with a code',
        secrets: [],
        request: (as, auth, options) =>
          oauth.deviceAuthorizationRequest(
            as,
            client,
            auth,
            settings.scopes.length > 0 ? { scope: settings.scopes.join(' ') } : {},
            options,
          ),
        async read(as, response) {
          const grant = await oauth.processDeviceAuthorizationResponse(as, client, response);
          return {
            deviceCode: grant.device_code,
            userCode: grant.user_code,
            verificationUri: requireHttpUrl(grant.verification_uri, name),
            verificationUriComplete:
              grant.verification_uri_complete === undefined
                ? null
                : requireHttpUrl(grant.verification_uri_complete, name),
            expiresIn: Math.floor(grant.expires_in),
            // RFC 8628 section 3.2: 5 when absent.
            interval: Math.ceil(grant.interval ?? 5),
          };
        },
      }),

    pollDevice: (deviceCode) =>
      requestTokens({
        deed: 'has not granted the sign-in with a code',
        secrets: [deviceCode],
        request: (as, auth, options) => oauth.deviceCodeGrantRequest(as, client, auth, deviceCode, options),
      }),

    refresh: (refreshToken) =>
      requestTokens({
        deed: 'refused to renew the token',
        secrets: [refreshToken],
        request: (as, auth, options) =>
          oauth.refreshTokenGrantRequest(as, client, auth, refreshToken, options),
      }),

    async validate(accessToken) {
      try {
        const url = settings.validateUrl ?? (await typeContext()).settings.userInfoUrl;
        return url ? await validateToken(send, name, url, accessToken) : { state: 'not_validated' };
      } catch (error) {
        return { state: 'unknown', reason: api.asFailure(error).message };
      }
    },

    async revoke({ accessToken, refreshToken }) {
      if (type.revoke) return api.guard(type.revoke(await typeContext(), { accessToken, refreshToken }));
      const token = refreshToken ?? accessToken;
      const hint = refreshToken === null ? 'access_token' : 'refresh_token';
      return call({
        endpoint: 'revocation_endpoint',
        deed: 'refused to revoke the token',
        secrets: [token],
        request: (as, auth, options) =>
          oauth.revocationRequest(as, client, auth, token, {
            ...options,
            additionalParameters: { token_type_hint: hint },
          }),
        read: (_, response) => oauth.processRevocationResponse(response),
      });
    },

    async account(accessToken) {
      return type.account ? api.guard(type.account(await typeContext(), accessToken)) : null;
    },

    async installations(accessToken) {
      return type.installations ? api.guard(type.installations(await typeContext(), accessToken)) : [];
    },

    gitCredentials: (accessToken) =>
      type.gitCredentials?.(accessToken) ?? { username: accessToken, password: '' },
  };
};

function pick(body: Record<string, unknown>, keys: string[]): Record<string, unknown> {
  return Object.fromEntries(keys.flatMap((key) => (body[key] === undefined ? [] : [[key, body[key]]])));
}

/** Front ends make links of what they get. */
function requireHttpUrl(text: string, name: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new ProviderFailure(`${name} sent a verification address that is no web address.`, {
    transient: true,
  });
}
