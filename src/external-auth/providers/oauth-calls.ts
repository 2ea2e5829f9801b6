import * as oauth from 'oauth4webapi';
import type { ProviderSettings } from '../provider-settings.ts';
import type { EndpointName, Endpoints } from './endpoints.ts';
import { type Deed, explainFailure } from './explain.ts';
import { readOAuthAnswer } from './oauth-answer.ts';
import type { Outgoing } from './outgoing.ts';
import { ProviderFailure } from './provider.ts';
import type { ProviderType } from './provider-type.ts';

type CallOptions = oauth.TokenEndpointRequestOptions & oauth.DeviceAuthorizationRequestOptions;

/** One request to an endpoint that the client authenticates at. */
export interface OAuthCall<T> {
  endpoint: EndpointName;
  /** What the provider did if it says no. */
  deed: Deed;
  /** What must not come back out of an error's text, besides the client's secret. */
  secrets: string[];
  request: (
    server: oauth.AuthorizationServer,
    auth: oauth.ClientAuth,
    options: CallOptions,
  ) => Promise<Response>;
  read: (server: oauth.AuthorizationServer, response: Response, body: Record<string, unknown>) => Promise<T>;
}

/** Makes the function that performs them. It throws ProviderFailure. */
export function createOAuthCalls({
  settings,
  type,
  endpoints,
  send,
  redirectUri,
}: {
  settings: ProviderSettings;
  type: ProviderType;
  endpoints: Endpoints;
  send: Outgoing;
  redirectUri: string | undefined;
}): <T>(call: OAuthCall<T>) => Promise<T> {
  // Where nobody says how the client authenticates, HTTP Basic is what RFC 6749 section 2.3.1 asks every server to
  // take. Some take only the form. A server that refuses the client has not looked at the grant yet, so that a
  // second try costs nothing; what worked is kept.
  let takesForm = false;

  async function attempt<T>(call: OAuthCall<T>, server: oauth.AuthorizationServer, auth: oauth.ClientAuth) {
    let answered: Response | undefined;
    let body: Record<string, unknown> = {};
    try {
      const response = await call.request(server, auth, {
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: async (url: string, init: oauth.CustomFetchOptions<string, unknown>) => {
          answered = await send(url, init as RequestInit);
          const answer = await readOAuthAnswer(answered, type.unwrapTokenAnswer);
          body = answer.body;
          return answer.response;
        },
      });
      return await call.read(server, response, body);
    } catch (error) {
      throw explainFailure(error, {
        name: settings.displayName,
        deed: call.deed,
        response: answered,
        secrets: [...call.secrets, settings.clientSecret],
      });
    }
  }

  return async (call) => {
    const { server } = await endpoints.require(call.endpoint);
    if (type.clientAuth) return attempt(call, server, type.clientAuth(settings, redirectUri));
    const method = chooseMethod(settings, server);
    if (method === 'none') return attempt(call, server, oauth.None());
    const form = oauth.ClientSecretPost(settings.clientSecret);
    const basic = httpBasic(settings.clientSecret);
    if (method !== 'auto') return attempt(call, server, method === 'client_secret_post' ? form : basic);
    if (takesForm) return attempt(call, server, form);
    try {
      return await attempt(call, server, basic);
    } catch (error) {
      if (!(error instanceof ProviderFailure) || error.oauthError !== 'invalid_client') throw error;
      const result = await attempt(call, server, form);
      takesForm = true;
      return result;
    }
  };
}

/**
 * RFC 6749 section 2.3.1 has both parts form-encoded. oauth4webapi encodes hyphens and dots too, which is allowed, but
 * breaks where a server forgets to decode; encoding no more than needed works with both kinds.
 */
function httpBasic(clientSecret: string): oauth.ClientAuth {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  return (_, client, _form, headers) => {
    const pair = `${encode(client.client_id)}:${encode(clientSecret)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}

function chooseMethod(settings: ProviderSettings, server: oauth.AuthorizationServer) {
  if (settings.clientSecret === '') return 'none';
  if (settings.tokenAuthMethod !== 'auto') return settings.tokenAuthMethod;
  const methods = server.token_endpoint_auth_methods_supported ?? [];
  return (['client_secret_basic', 'client_secret_post'] as const).find((m) => methods.includes(m)) ?? 'auto';
}
