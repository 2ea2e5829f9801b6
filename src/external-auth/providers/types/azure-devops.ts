import type { ProviderType } from '../provider-type.ts';

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Azure DevOps with an OAuth app of its own, which Microsoft retires in favour of `azure-devops-entra`. The secret
 * is sent as a client assertion, and the code and the refresh token as `assertion`.
 * https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/azure-devops-oauth
 */
export const azureDevops: ProviderType = {
  names: ['azure-devops'],
  displayName: 'Azure DevOps',
  displayIcon: '/icon/azure-devops.svg',
  pkce: false,
  scopes: ['vso.code_write'],
  tokenAuthMethod: 'client_secret_post',
  requiresSecret: true,
  authUrl: 'https://app.vssps.visualstudio.com/oauth2/authorize',
  site: ({ authUrl }) => ({ tokenUrl: new URL('/oauth2/token', authUrl).href }),
  gitHost: () => 'dev.azure.com',

  authorizationParameters: () => ({ response_type: 'Assertion' }),

  clientAuth:
    ({ clientSecret }, redirectUri) =>
    (_server, _client, form) => {
      form.set('client_assertion_type', JWT_BEARER);
      form.set('client_assertion', clientSecret);
      const code = form.get('code');
      if (code !== null) form.set('grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer');
      form.set('assertion', code ?? form.get('refresh_token') ?? '');
      if (redirectUri !== undefined && !form.has('redirect_uri')) form.set('redirect_uri', redirectUri);
      form.delete('code');
      form.delete('refresh_token');
    },
};
