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
    const address = settings.appInstallationsUrl;
    if (!address) return [];
    async function readPage(page: number): Promise<z.infer<typeof installations>> {
      const url = new URL(address ?? '');
      url.searchParams.set('per_page', String(PAGE_SIZE));
      if (page > 1) url.searchParams.set('page', String(page));
      const response = await send(url, {
        headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${accessToken}` },
      });
      // The token of an OAuth app, which cannot be installed, has nothing to list.
      if (response.status === 404 || (response.status === 403 && !isRateLimit(response))) {
        return { total_count: 0, installations: [] };
      }
      if (response.status !== 200) throw refusal(response, settings.displayName);
      return installations.parse(await response.json().catch(() => null));
    }
    const first = await readPage(1);
    // At once, so that all of them take no longer than two calls may.
    const last = Math.min(Math.ceil(first.total_count / PAGE_SIZE), MAX_PAGES);
    const others = Array.from({ length: Math.max(0, last - 1) }, (_, index) => readPage(index + 2));
    // An app that is installed while the pages are read moves the others on: one may come twice.
    const byId = new Map(
      [first, ...(await Promise.all(others))].flatMap((page) =>
        page.installations.map((installation) => [installation.id, installation] as const),
      ),
    );
    return [...byId.values()].map(({ id, account, html_url }) => ({
      id,
      account: toAccount(account),
      configureUrl: html_url,
    }));
  },
};

/** GitHub's most. */
const PAGE_SIZE = 100;
/** Nobody reads more in a front end, and a provider that counts wrongly is not asked for ever. */
const MAX_PAGES = 10;

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

/** An enterprise, on which an app may be installed as well, has a slug in the place of a login. */
const owner = z.preprocess(
  (value) =>
    value && typeof value === 'object' && 'slug' in value ? { login: value.slug, ...value } : value,
  user,
);

const installations = z.object({
  total_count: z.number().int().min(0).catch(0),
  installations: z.array(z.object({ id: z.number().int(), account: owner, html_url: httpUrlOrNothing })),
});

function toAccount({ id, login, name, avatar_url, html_url }: z.infer<typeof user>): ExternalAccount {
  return { id, login, name, avatarUrl: avatar_url, profileUrl: html_url };
}
