import type { ProviderType } from '../provider-type.ts';

/** JFrog Artifactory, always self-hosted or on a host of the customer's own. */
export const jfrog: ProviderType = {
  names: ['jfrog'],
  displayName: 'JFrog Artifactory',
  displayIcon: '/icon/jfrog.svg',
  pkce: false,
  scopes: ['applied-permissions/user'],
  tokenAuthMethod: 'client_secret_post',
  requiresSecret: true,
  authUrl: null,
  site: ({ authUrl, clientId }) => ({
    tokenUrl: new URL(`/access/api/v1/integrations/${encodeURIComponent(clientId)}/token`, authUrl).href,
    validateUrl: new URL('/access/api/v1/system/ping', authUrl).href,
  }),
  gitHost: () => null,

  // The integration proves itself with its secret as a bearer token, against RFC 6749 section 2.3.1.
  clientAuth:
    ({ clientId, clientSecret }) =>
    (_server, _client, form, headers) => {
      form.set('client_id', clientId);
      headers.set('authorization', `Bearer ${clientSecret}`);
    },
};
