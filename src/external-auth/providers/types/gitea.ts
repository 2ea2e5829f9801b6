import { z } from 'zod';
import { accountId, httpUrlOrNothing, textOrNothing } from '../account-fields.ts';
import { type ProviderType, siteRoot } from '../provider-type.ts';

const PATH = '/login/oauth/authorize';

/** Gitea and Forgejo. https://docs.gitea.com/development/oauth2-provider */
export const gitea: ProviderType = {
  names: ['gitea', 'forgejo'],
  displayName: 'Gitea',
  displayIcon: '/icon/gitea.svg',
  pkce: true,
  scopes: ['read:repository', 'write:repository', 'read:user'],
  tokenAuthMethod: 'client_secret_post',
  authUrl: `https://gitea.com${PATH}`,
  site({ authUrl, apiBaseUrl }) {
    const root = siteRoot(authUrl, PATH);
    return {
      tokenUrl: `${root}/login/oauth/access_token`,
      validateUrl: `${root}/login/oauth/userinfo`,
      apiBaseUrl: apiBaseUrl ?? `${root}/api/v1`,
    };
  },
  gitHost: ({ host }) => host,

  async account({ settings, getJson }, accessToken) {
    const { id, login, full_name, avatar_url, html_url } = user.parse(
      await getJson(`${settings.apiBaseUrl}/user`, accessToken),
    );
    return { id, login, name: full_name, avatarUrl: avatar_url, profileUrl: html_url };
  },
};

const user = z.object({
  id: accountId,
  login: z.string(),
  full_name: textOrNothing,
  avatar_url: httpUrlOrNothing,
  html_url: httpUrlOrNothing,
});
