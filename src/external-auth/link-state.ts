import type { Actor } from '../auth/viewer.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { SecretUnreadable } from '../secrets/keyring.ts';
import { openTokens } from './link-store.ts';
import type { Provider, Validation } from './providers/provider.ts';

/** What is known of a link, after its token was renewed if need be, and its provider was asked. */
export interface LinkState {
  /** As it is now. */
  link: ExternalAuthLink;
  /** Null when it left the configuration. */
  provider: Provider | null;
  validation: 'VALID' | 'INVALID' | 'RATE_LIMITED' | 'NOT_VALIDATED' | 'UNKNOWN';
  /** Whether the token works as far as anybody knows. "Could not be asked" is no yes. */
  authenticated: boolean;
  /** In words for the link's owner. */
  validateError: string | null;
  /** Null when it does not work. */
  accessToken: string | null;
}

/** Never throws because of a provider, nor because of a damaged secret: both are a state of the link. */
export async function checkLink(runtime: Runtime, _actor: Actor, link: ExternalAuthLink): Promise<LinkState> {
  const provider = runtime.providers.find(link.providerId);
  const unknown = (reason: string) => stateOf(link, provider, { state: 'unknown', reason }, null);
  if (!provider) {
    return unknown(
      `The provider "${link.providerId}" is no longer configured, so nobody can tell whether the token works. You can unlink the account.`,
    );
  }
  try {
    const { accessToken, expiresAt } = openTokens(runtime.keyring, link);
    if (expiresAt && expiresAt <= runtime.clock()) {
      const reason = 'The token has expired. Link the account again.';
      return stateOf(link, provider, { state: 'invalid', reason }, null);
    }
    return stateOf(link, provider, await provider.validate(accessToken), accessToken);
  } catch (error) {
    if (!(error instanceof SecretUnreadable)) throw error;
    runtime.log.error({ err: error }, 'a link cannot be read');
    return unknown(error.message);
  }
}

function stateOf(
  link: ExternalAuthLink,
  provider: Provider | null,
  verdict: Validation,
  accessToken: string | null,
): LinkState {
  const authenticated = verdict.state !== 'invalid' && verdict.state !== 'unknown';
  return {
    link,
    provider,
    validation: verdict.state.toUpperCase() as Uppercase<Validation['state']>,
    authenticated,
    validateError: 'reason' in verdict ? verdict.reason : null,
    accessToken: authenticated ? accessToken : null,
  };
}
