import type { ExternalAuthLink } from '../generated/prisma/client.ts';
import { perRuntime, type Runtime } from '../runtime.ts';
import { createSingleFlight } from '../single-flight.ts';
import type { Provider, Validation } from './providers/provider.ts';

/** What a provider said of a token, and for how long it is believed. */
interface Verdict {
  /** The token's ciphertext: nothing is ever said of another token. */
  accessToken: string;
  validation: Validation;
  until: number;
}

const MAX_VERDICTS = 10_000;

const kept = perRuntime(() => ({
  /** By the link's id, the oldest first. */
  verdicts: new Map<string, Verdict>(),
  flights: createSingleFlight<Validation>(),
}));

/** Asks the provider of a token, unless it has just been asked. Never throws. */
export function validate(
  runtime: Runtime,
  provider: Provider,
  link: Pick<ExternalAuthLink, 'id' | 'accessToken'>,
  plainToken: string,
): Promise<Validation> {
  const { verdicts, flights } = kept(runtime);
  const { id, accessToken } = link;
  return flights(`${id} ${accessToken}`, async () => {
    const known = verdicts.get(id);
    if (known?.accessToken === accessToken && known.until > runtime.clock().getTime()) {
      return known.validation;
    }
    const validation = await provider.validate(plainToken);
    // "Could not be asked" is not worth keeping: the next one who asks may hear more.
    if (validation.state === 'unknown' || validation.state === 'not_validated') return validation;
    const until = runtime.clock().getTime() + runtime.config.externalAuth.validateCacheSeconds * 1_000;
    verdicts.delete(id);
    verdicts.set(id, { accessToken, validation, until });
    const [oldest] = verdicts.keys();
    if (verdicts.size > MAX_VERDICTS && oldest !== undefined) verdicts.delete(oldest);
    return validation;
  });
}
