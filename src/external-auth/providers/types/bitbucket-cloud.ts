import { z } from 'zod';
import { accountId, httpUrlOrNothing, textOrNothing } from '../account-fields.ts';
import { type ProviderType, siteRoot } from '../provider-type.ts';

const PATH = '/site/oauth2/authorize';

/** Bitbucket Cloud. https://developer.atlassian.com/cloud/bitbucket/oauth-2/ */
export const bitbucketCloud: ProviderType = {
  names: ['bitbucket-cloud', 'bitbucket'],
  displayName: 'Bitbucket',
  displayIcon: '/icon/bitbucket.svg',
  pkce: false,
  scopes: ['account', 'repository:write'],
  tokenAuthMethod: 'client_secret_basic',
  authUrl: `https://bitbucket.org${PATH}`,
  site({ authUrl, apiBaseUrl }) {
    const api = apiBaseUrl ?? 'https://api.bitbucket.org/2.0';
    return {
      tokenUrl: `${siteRoot(authUrl, PATH)}/site/oauth2/access_token`,
      validateUrl: `${api}/user`,
      apiBaseUrl: api,
    };
  },
  gitHost: ({ host }) => host,

  async account({ settings, getJson }, accessToken) {
    const { uuid, username, nickname, display_name, links } = user.parse(
      await getJson(`${settings.apiBaseUrl}/user`, accessToken),
    );
    return {
      id: uuid,
      login: username || nickname || display_name,
      name: display_name,
      avatarUrl: links.avatar.href,
      profileUrl: links.html.href,
    };
  },

  gitCredentials: (accessToken) => ({ username: 'x-token-auth', password: accessToken }),
};

const link = z.object({ href: httpUrlOrNothing }).catch({ href: '' });

const user = z.object({
  uuid: accountId,
  username: textOrNothing,
  nickname: textOrNothing,
  display_name: textOrNothing,
  links: z.object({ avatar: link, html: link }).catch({ avatar: { href: '' }, html: { href: '' } }),
});
