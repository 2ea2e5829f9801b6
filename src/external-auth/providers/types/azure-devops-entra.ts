import type { ProviderType } from '../provider-type.ts';

/** Azure DevOps as Entra ID names it. */
const AZURE_DEVOPS = '499b84ac-1321-427f-aa17-267ca6975798';

/**
 * Azure DevOps through an app of Entra ID, in its version 1: what is asked for is a `resource` rather than scopes.
 * https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/entra-oauth
 */
export const azureDevopsEntra: ProviderType = {
  names: ['azure-devops-entra'],
  displayName: 'Azure DevOps',
  displayIcon: '/icon/azure-devops.svg',
  pkce: false,
  scopes: [],
  tokenAuthMethod: 'client_secret_post',
  authUrl: null,
  // https://login.microsoftonline.com/{tenant}/oauth2/authorize
  site: ({ authUrl }) => ({
    tokenUrl: new URL(authUrl.pathname.replace(/\/authorize\/?$/, '/token'), authUrl).href,
  }),
  gitHost: () => 'dev.azure.com',

  authorizationParameters: () => ({ resource: AZURE_DEVOPS }),

  clientAuth:
    ({ clientId, clientSecret }) =>
    (_server, _client, form) => {
      form.set('client_id', clientId);
      form.set('client_secret', clientSecret);
      form.set('resource', AZURE_DEVOPS);
    },
};
