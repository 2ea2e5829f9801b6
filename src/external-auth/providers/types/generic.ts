import { z } from 'zod';
import { httpUrlOrNothing, textOrNothing } from '../account-fields.ts';
import type { ProviderType } from '../provider-type.ts';

/** OAuth 2 or OpenID Connect as the standards have it. Every TYPE that names no other type means this one. */
export const generic: ProviderType = {
  names: ['oauth2'],
  displayName: '',
  displayIcon: '',
  pkce: true,
  scopes: [],
  tokenAuthMethod: 'auto',
  authUrl: null,
  site: () => ({}),
  gitHost: ({ host }) => host,

  // OpenID Connect Core section 11: a request for offline access has to ask for consent.
  authorizationParameters({ scopes }): Record<string, string> {
    return scopes.includes('openid') && scopes.includes('offline_access') ? { prompt: 'consent' } : {};
  },

  async account({ settings, getJson }, accessToken) {
    if (!settings.userInfoUrl) return null;
    const user = userInfo.parse(await getJson(settings.userInfoUrl, accessToken));
    return {
      id: user.sub,
      login: user.preferred_username || user.nickname || user.email || user.sub,
      name: user.name,
      avatarUrl: user.picture,
      profileUrl: user.profile,
    };
  },
};

/** OpenID Connect Core section 5.1. */
const userInfo = z.object({
  sub: z.string().min(1),
  preferred_username: textOrNothing,
  nickname: textOrNothing,
  email: textOrNothing,
  name: textOrNothing,
  picture: httpUrlOrNothing,
  profile: httpUrlOrNothing,
});
