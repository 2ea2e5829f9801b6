import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { createProvider } from './providers/create-provider.ts';
import type { Provider, ProviderTools } from './providers/provider.ts';

/** The providers of the configuration. */
export interface Providers {
  /** In the order of the configuration. */
  all: readonly Provider[];
  /** Null when no provider has the id: none ever had, or it left the configuration. */
  find: (id: string) => Provider | null;
}

/**
 * Makes each provider's client, once in a process: it keeps what it discovered, and counts the calls that are under
 * way.
 */
export function createProviders(
  { externalAuth, http }: Config,
  tools: Pick<ProviderTools, 'fetch' | 'clock'>,
): Providers {
  const byId = new Map(
    externalAuth.providers.map((settings) => [
      settings.id,
      createProvider(settings, { ...tools, redirectUri: callbackUrl(http.publicUrl, settings.id) }),
    ]),
  );
  return { all: [...byId.values()], find: (id) => byId.get(id) ?? null };
}

/** How long a list of providers waits for one that is yet to be discovered. */
const DISCOVERY_MS = 2_000;

/** What a provider can do; of one that does not answer soon, what is known without it. */
export async function capabilitiesOf(
  provider: Provider,
): Promise<{ revocation: boolean; validation: boolean }> {
  const stop = new AbortController();
  const known = sleep(DISCOVERY_MS, undefined, { signal: stop.signal }).then(() => ({
    revocation: provider.supportsRevocation,
    validation: provider.settings.validateUrl !== null,
  }));
  try {
    return await Promise.race([provider.capabilities(), known]);
  } finally {
    known.catch(() => {});
    stop.abort();
  }
}

/** Where a provider sends browsers back to: registered there, exactly. */
export function callbackUrl(publicUrl: string, providerId: string): string {
  return `${publicUrl}/external-auth/${providerId}/callback`;
}

/** Whether a text could be a provider's id at all. What is none need not, and could not, be looked up. */
export function isProviderId(text: string): boolean {
  return /^[a-zA-Z0-9-]{1,32}$/.test(text);
}
