import { type ProviderType, siteRoot } from '../provider-type.ts';

const PATH = '/rest/oauth2/latest/authorize';

/**
 * Bitbucket Server and Data Center.
 * https://confluence.atlassian.com/bitbucketserver/bitbucket-oauth-2-0-provider-api-1108483661.html
 */
export const bitbucketServer: ProviderType = {
  names: ['bitbucket-server'],
  displayName: 'Bitbucket Server',
  displayIcon: '/icon/bitbucket.svg',
  pkce: false,
  scopes: ['PUBLIC_REPOS', 'REPO_READ', 'REPO_WRITE'],
  tokenAuthMethod: 'client_secret_post',
  authUrl: null,
  site({ authUrl, apiBaseUrl }) {
    const root = siteRoot(authUrl, PATH);
    const api = apiBaseUrl ?? `${root}/rest/api/latest`;
    return {
      tokenUrl: `${root}/rest/oauth2/latest/token`,
      // The cheapest question that only a signed-in user may ask.
      validateUrl: `${api}/inbox/pull-requests/count`,
      apiBaseUrl: api,
    };
  },
  gitHost: ({ host }) => host,
  gitCredentials: (accessToken) => ({ username: 'x-token-auth', password: accessToken }),
};
