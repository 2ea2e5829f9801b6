import * as oauth from 'oauth4webapi';
import type { ProviderSettings } from '../provider-settings.ts';
import { explainFailure } from './explain.ts';
import { ForeignAnswer, ProviderFailure } from './provider.ts';

/**
 * Checks what the browser brought back: `state` (RFC 6749 section 10.12), `iss` (RFC 9207), `error`, `code`.
 *
 * @returns parameters that oauth4webapi exchanges
 * @throws ProviderFailure
 */
export function checkCallback(
  callback: URL,
  {
    state,
    server,
    client,
    settings,
  }: { state: string; server: oauth.AuthorizationServer; client: oauth.Client; settings: ProviderSettings },
): URLSearchParams {
  const name = settings.displayName;
  const parameters = new URLSearchParams(callback.searchParams);
  const iss = parameters.get('iss');
  if (settings.issuer === null && iss !== null && settings.authUrl !== null) {
    // Nobody told us the issuer: then it has to be where we sent the user. RFC 9207 defends against one provider's
    // answer being brought to another's callback, and those differ in their origins.
    if (!URL.canParse(iss) || new URL(iss).origin !== new URL(settings.authUrl).origin) {
      throw new ForeignAnswer(
        `The answer comes from another issuer than ${name}. If it is right, the administrator should set ISSUER for "${settings.id}".`,
        { transient: false },
      );
    }
    parameters.delete('iss');
  }
  try {
    const checked = oauth.validateAuthResponse(server, client, parameters, state);
    if (!checked.get('code')) {
      throw new ProviderFailure(`${name} sent the browser back without a code.`, { transient: false });
    }
    return checked;
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      throw explainFailure(error, { name, deed: 'did not grant access', secrets: [] });
    }
    if (error instanceof ProviderFailure) throw error;
    throw new ForeignAnswer(
      `The answer does not belong to this sign-in with ${name}: its state or its issuer is another. Start again.`,
      { transient: false, cause: new Error(error instanceof Error ? error.message : String(error)) },
    );
  }
}
