import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../auth/viewer.ts';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import type { Runtime } from '../runtime.ts';
import { saveLink } from './link-store.ts';
import type { Provider, TokenSet } from './providers/provider.ts';

/** In milliseconds. Together they stay within the time that a shutdown waits. */
const WAITS = [250, 500, 1_000, 2_000];

/**
 * Saves what a code was exchanged for. A code serves once, so what came for it must not be lost to a database that is
 * away for a moment, nor to a client that hangs up: the work goes on without it, and a shutdown waits for it.
 *
 * @param exchange the call under way
 */
export function keepTokens(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  exchange: Promise<TokenSet>,
): Promise<ExternalAuthLink> {
  const work = exchange.then((tokens) => saveInTheEnd(runtime, actor, provider, tokens));
  // Whoever asked hears of a failure.
  runtime.background(
    'code exchange',
    work.catch(() => {}),
  );
  return work;
}

async function saveInTheEnd(
  runtime: Runtime,
  actor: Actor,
  provider: Provider,
  tokens: TokenSet,
): Promise<ExternalAuthLink> {
  for (const wait of WAITS) {
    try {
      return await saveLink(runtime, actor, provider, tokens);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      await sleep(wait);
    }
  }
  return saveLink(runtime, actor, provider, tokens);
}
