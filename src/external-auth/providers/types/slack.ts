import { cutText } from '../explain.ts';
import { ProviderFailure } from '../provider.ts';
import type { ProviderType } from '../provider-type.ts';

/** Slack. https://docs.slack.dev/authentication/installing-with-oauth */
export const slack: ProviderType = {
  names: ['slack'],
  displayName: 'Slack',
  displayIcon: '/icon/slack.svg',
  pkce: false,
  scopes: [],
  extraTokenKeys: ['authed_user'],
  tokenAuthMethod: 'client_secret_post',
  authUrl: 'https://slack.com/oauth/v2/authorize',
  site: ({ authUrl }) => ({
    tokenUrl: new URL('/api/oauth.v2.access', authUrl).href,
    revokeUrl: new URL('/api/auth.revoke', authUrl).href,
  }),
  gitHost: () => null,

  // The token at the top is the bot's. The user's own, which is what a link is for, is in `authed_user` when the
  // authorization asked for user scopes.
  unwrapTokenAnswer(body) {
    const user = body.authed_user;
    const hasToken = typeof user === 'object' && user !== null && 'access_token' in user;
    return hasToken ? { ...body, ...user } : body;
  },

  // The token revokes itself. Slack says what went wrong with status 200.
  async revoke({ settings, send }, { accessToken }) {
    const response = await send(settings.revokeUrl ?? '', {
      method: 'POST',
      headers: { accept: 'application/json', authorization: `Bearer ${accessToken}` },
    });
    const answer = (await response.json().catch(() => ({}))) as { ok?: unknown; error?: unknown };
    if (answer.ok === true) return;
    const reason =
      typeof answer.error === 'string'
        ? cutText(answer.error, [accessToken], 100)
        : `status ${response.status}`;
    if (['token_revoked', 'invalid_auth', 'account_inactive'].includes(reason)) return;
    throw new ProviderFailure(`${settings.displayName} did not revoke the token: ${reason}.`, {
      transient: response.status !== 200 || reason === 'ratelimited' || reason === 'internal_error',
    });
  },
};
