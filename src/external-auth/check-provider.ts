import type { ProviderSettings } from './provider-settings.ts';
import { createProvider } from './providers/create-provider.ts';
import { ProviderFailure, type ProviderTools } from './providers/provider.ts';

/** One thing that was tried, in words for an administrator. */
export interface Check {
  what: string;
  outcome: 'ok' | 'wrong' | 'skipped';
  detail: string;
}

/** Codes that a provider only says to a client that it knows: the client's credentials are right. */
const KNOWS_CLIENT = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'invalid_refresh_token',
  'unsupported_grant_type',
  'invalid_request',
]);

/** A token that nobody has. */
const NO_TOKEN = 'gatehouse-checks-whether-this-is-refused';

/**
 * Tries a provider's endpoints with a token that cannot be valid: what a healthy provider refuses in the right way
 * shows that its address, and the client's credentials, are right. Changes nothing at the provider, except that a
 * device code may be made, which nobody will use.
 */
export async function checkProvider(settings: ProviderSettings, tools: ProviderTools): Promise<Check[]> {
  const provider = createProvider(settings, tools);
  const { revocation, validation } = await provider.capabilities();
  return [
    await attempt('sign-in page', async () => {
      const url = await provider.authorizationUrl({
        redirectUri: tools.redirectUri ?? 'http://localhost/',
        state: 'check',
        codeVerifier: null,
      });
      const { status, body } = await tools.fetch(new URL(url.pathname, url), {
        redirect: 'manual',
        signal: AbortSignal.timeout(10_000),
      });
      await body?.cancel();
      if (status === 404 || status >= 500)
        return wrong(`${url.origin}${url.pathname} answers with status ${status}`);
      return ok(`${url.origin}${url.pathname} answers`);
    }),
    await attempt('client credentials', async () => {
      await provider.refresh(NO_TOKEN);
      return wrong('the token endpoint renews a token that does not exist');
    }),
    settings.deviceFlow
      ? await attempt('device flow', async () => {
          const { verificationUri } = await provider.startDevice();
          return ok(`users enter their code at ${verificationUri}`);
        })
      : skipped('device flow', 'DEVICE_FLOW is off'),
    validation
      ? await attempt('validation', async () => {
          const result = await provider.validate(NO_TOKEN);
          if (result.state === 'invalid') return ok('a token that does not exist is refused');
          if (result.state === 'valid') return wrong('the validate URL accepts a token that does not exist');
          return wrong(
            'reason' in result ? result.reason : 'the provider limits its rate now: try again later',
          );
        })
      : skipped('validation', 'there is no VALIDATE_URL: links are shown as not validated'),
    revocation
      ? skipped('revocation', 'is used when a link is deleted')
      : skipped(
          'revocation',
          'there is no REVOKE_URL: a deleted link leaves its token alive at the provider',
        ),
  ];
}

type Outcome = Pick<Check, 'outcome' | 'detail'>;

async function attempt(what: string, work: () => Promise<Outcome>): Promise<Check> {
  try {
    return { what, ...(await work()) };
  } catch (error) {
    if (!(error instanceof ProviderFailure)) return { what, ...wrong('the address cannot be reached') };
    if (KNOWS_CLIENT.has(error.oauthError ?? '')) return { what, ...ok('the provider knows the client') };
    return { what, ...wrong(error.message) };
  }
}

const ok = (detail: string): Outcome => ({ outcome: 'ok', detail });
const wrong = (detail: string): Outcome => ({ outcome: 'wrong', detail });
const skipped = (what: string, detail: string): Check => ({ what, outcome: 'skipped', detail });
