import type { Actor } from '../auth/viewer.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { SecretUnreadable } from '../secrets/keyring.ts';
import { openTokens } from './link-store.ts';
import { type Provider, ProviderFailure, type TokenSet, type Validation } from './providers/provider.ts';
import { freshLink } from './refresh.ts';
import { validate } from './validation.ts';

/** What is known of a link, after its token was renewed if need be, and its provider was asked. */
export interface LinkState {
  /** As it is now. */
  link: ExternalAuthLink;
  /** Null when it left the configuration. */
  provider: Provider | null;
  validation: Uppercase<Validation['state']>;
  /** Whether the token works as far as anybody knows. "Could not be asked" is no yes. */
  authenticated: boolean;
  /** Why the token does not work, or why that is not known, for the link's owner. */
  validateError: string | null;
  /** Null when it does not work, or could not be read. */
  tokens: TokenSet | null;
}

/** A provider that hangs costs one link its answer, and not the whole operation. */
const TIME_LIMIT_MS = 20_000;

/** Never throws because of a provider, nor because of a damaged secret: both are states of the link. */
export async function checkLink(runtime: Runtime, actor: Actor, link: ExternalAuthLink): Promise<LinkState> {
  const provider = runtime.providers.find(link.providerId);
  if (!provider) {
    return unknown(
      link,
      null,
      `The provider "${link.providerId}" is no longer configured, so nobody can tell whether the token works. You can unlink the account.`,
    );
  }
  try {
    return await withTimeLimit(provider, check(runtime, actor, provider, link));
  } catch (error) {
    if (error instanceof SecretUnreadable) runtime.log.error({ err: error }, 'a link cannot be read');
    else if (!(error instanceof ProviderFailure)) throw error;
    return unknown(link, provider, error.message);
  }
}

/**
 * @throws ProviderFailure when an expired token could not be renewed for now
 * @throws SecretUnreadable
 */
export async function check(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  given: ExternalAuthLink,
): Promise<LinkState> {
  const link = await freshLink(runtime, actor, provider, given);
  if (!link) return stateOf(given, provider, invalid('The account was unlinked just now.'), null);
  const tokens = openTokens(runtime.keyring, link);
  // To the second: what cannot be renewed works until its very end.
  if (link.expiresAt && link.expiresAt <= runtime.clock()) {
    return stateOf(link, provider, invalid(whyExpired(link, provider)), tokens);
  }
  return stateOf(link, provider, await validate(runtime, provider, link, tokens.accessToken), tokens);
}

/** Why an expired token was not renewed. */
function whyExpired({ refreshFailureReason }: ExternalAuthLink, { settings }: Provider): string {
  if (refreshFailureReason !== null) {
    return `The token has expired and cannot be renewed: ${refreshFailureReason} Link the account again.`;
  }
  return settings.noRefresh
    ? 'The token has expired, and the administrator has turned renewals off. Link the account again.'
    : `The token has expired, and ${settings.displayName} gave nothing to renew it with. Link the account again.`;
}

const invalid = (reason: string): Validation => ({ state: 'invalid', reason });

function unknown(link: ExternalAuthLink, provider: Provider | null, reason: string): LinkState {
  return stateOf(link, provider, { state: 'unknown', reason }, null);
}

function stateOf(
  link: ExternalAuthLink,
  provider: Provider | null,
  validation: Validation,
  tokens: TokenSet | null,
): LinkState {
  const authenticated = validation.state !== 'invalid' && validation.state !== 'unknown';
  return {
    link,
    provider,
    validation: validation.state.toUpperCase() as Uppercase<Validation['state']>,
    authenticated,
    validateError: 'reason' in validation ? validation.reason : null,
    tokens: validation.state === 'invalid' ? null : tokens,
  };
}

async function withTimeLimit<Result>({ settings }: Provider, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `${settings.displayName} did not answer within ${TIME_LIMIT_MS / 1_000} seconds. Try again later.`;
      reject(new ProviderFailure(message, { transient: true }));
    }, TIME_LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
