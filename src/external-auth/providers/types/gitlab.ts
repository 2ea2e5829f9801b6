import { z } from 'zod';
import { accountId, httpUrlOrNothing, textOrNothing } from '../account-fields.ts';
import { type ProviderType, siteRoot } from '../provider-type.ts';

const PATH = '/oauth/authorize';

/** GitLab, on gitlab.com and self-managed. https://docs.gitlab.com/api/oauth2/ */
export const gitlab: ProviderType = {
  names: ['gitlab'],
  displayName: 'GitLab',
  displayIcon: '/icon/gitlab.svg',
  pkce: true,
  scopes: ['write_repository'],
  tokenAuthMethod: 'client_secret_post',
  authUrl: `https://gitlab.com${PATH}`,
  site({ authUrl, apiBaseUrl }) {
    const root = siteRoot(authUrl, PATH);
    return {
      tokenUrl: `${root}/oauth/token`,
      deviceCodeUrl: `${root}/oauth/authorize_device`,
      validateUrl: `${root}/oauth/token/info`,
      revokeUrl: `${root}/oauth/revoke`,
      apiBaseUrl: apiBaseUrl ?? `${root}/api/v4`,
    };
  },
  gitHost: ({ host }) => host,

  async account({ settings, getJson }, accessToken) {
    const { id, username, name, avatar_url, web_url } = user.parse(
      await getJson(`${settings.apiBaseUrl}/user`, accessToken),
    );
    return { id, login: username, name, avatarUrl: avatar_url, profileUrl: web_url };
  },

  gitCredentials: (accessToken) => ({ username: 'oauth2', password: accessToken }),
};

const user = z.object({
  id: accountId,
  username: z.string(),
  name: textOrNothing,
  avatar_url: httpUrlOrNothing,
  web_url: httpUrlOrNothing,
});
