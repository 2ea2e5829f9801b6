import { z } from 'zod';
import { accountId, httpUrlOrNothing, textOrNothing } from '../account-fields.ts';
import { refusal } from '../api-reader.ts';
import { type ExternalAccount, ProviderFailure } from '../provider.ts';
import { type ProviderType, siteRoot } from '../provider-type.ts';
import { isRateLimit } from '../validate-token.ts';

const PATH = '/login/oauth/authorize';

/**
 * GitHub, GitHub Enterprise Server, and GitHub Enterprise Cloud with its own host (`*.ghe.com`).
 * https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 */
export const github: ProviderType = {
  names: ['github'],
  displayName: 'GitHub',
  displayIcon: '/icon/github.svg',
  pkce: true,
  scopes: ['repo', 'workflow'],
  tokenAuthMethod: 'client_secret_post',
  authUrl: `https://github.com${PATH}`,
  site({ authUrl, clientId, apiBaseUrl }) {
    const root = siteRoot(authUrl, PATH);
    const api = apiBaseUrl ?? apiRoot(authUrl, root);
    return {
      tokenUrl: `${root}/login/oauth/access_token`,
      deviceCodeUrl: `${root}/login/device/code`,
      validateUrl: `${api}/user`,
      revokeUrl: `${api}/applications/${encodeURIComponent(clientId)}/grant`,
      apiBaseUrl: api,
      appInstallationsUrl: `${api}/user/installations`,
    };
  },
  gitHost: ({ host }) => host,

  // Not RFC 7009: the app deletes the user's grant, with all its tokens, and proves itself with HTTP Basic.
  // https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-authorization
  async revoke({ settings, send }, { accessToken }) {
    const credentials = Buffer.from(`${settings.clientId}:${settings.clientSecret}`).toString('base64');
    const response = await send(settings.revokeUrl ?? '', {
      method: 'DELETE',
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Basic ${credentials}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ access_token: accessToken }),
    });
    if (response.status === 204) return;
    if (response.status === 404 || response.status === 422) {
      throw new ProviderFailure(`${settings.displayName} knows no such grant (status ${response.status}).`, {
        transient: false,
      });
    }
    if (response.status === 401) {
      throw new ProviderFailure(
        `${settings.displayName} does not accept the client's credentials (status 401). The administrator should check CLIENT_ID and CLIENT_SECRET.`,
        { transient: false, oauthError: 'invalid_client' },
      );
    }
    throw refusal(response, settings.displayName);
  },

  async account({ settings, getJson }, accessToken) {
    return toAccount(user.parse(await getJson(`${settings.apiBaseUrl}/user`, accessToken)));
  },

  async installations({ settings, send }, accessToken) {
    if (!settings.appInstallationsUrl) return [];
    const url = new URL(settings.appInstallationsUrl);
    url.searchParams.set('per_page', '100');
    const response = await send(url, {
      headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${accessToken}` },
    });
    // The token of an OAuth app, which cannot be installed, has nothing to list.
    if (response.status === 404 || (response.status === 403 && !isRateLimit(response))) return [];
    if (response.status !== 200) throw refusal(response, settings.displayName);
    const answer = installations.parse(await response.json().catch(() => null));
    return answer.installations.map(({ id, account, html_url }) => ({
      id,
      account: toAccount(account),
      configureUrl: html_url,
    }));
  },
};

function apiRoot(authUrl: URL, root: string): string {
  if (authUrl.host === 'github.com') return 'https://api.github.com';
  if (authUrl.host.endsWith('.ghe.com')) return `https://api.${authUrl.host}`;
  return `${root}/api/v3`;
}

const user = z.object({
  id: accountId,
  login: z.string(),
  name: textOrNothing,
  avatar_url: httpUrlOrNothing,
  html_url: httpUrlOrNothing,
});

const installations = z.object({
  installations: z.array(z.object({ id: z.number().int(), account: user, html_url: httpUrlOrNothing })),
});

function toAccount({ id, login, name, avatar_url, html_url }: z.infer<typeof user>): ExternalAccount {
  return { id, login, name, avatarUrl: avatar_url, profileUrl: html_url };
}
