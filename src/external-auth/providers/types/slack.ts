import { z } from 'zod';
import { accountId, textOrNothing } from '../account-fields.ts';
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

  // Needs no scope. https://docs.slack.dev/reference/methods/auth.test
  async account({ settings, getJson }, accessToken) {
    const answer = whoAmI.parse(
      await getJson(new URL('/api/auth.test', settings.tokenUrl ?? '').href, accessToken),
    );
    if (!answer.ok) {
      throw new ProviderFailure(
        `${settings.displayName} does not tell who the account is: ${cutText(answer.error, [accessToken], 100)}.`,
        { transient: answer.error === 'ratelimited' || answer.error === 'internal_error' },
      );
    }
    const { user_id, user } = answer;
    return { id: user_id, login: user, name: '', avatarUrl: '', profileUrl: '' };
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

const whoAmI = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), user_id: accountId, user: textOrNothing }),
  z.object({ ok: z.literal(false), error: textOrNothing }),
]);
