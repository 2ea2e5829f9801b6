import { ZodError } from 'zod';
import { isBadMoment, parseRetryAfter } from './explain.ts';
import type { Outgoing } from './outgoing.ts';
import { ProviderFailure } from './provider.ts';
import { isRateLimit } from './validate-token.ts';

/** Reads a provider's own API, and turns what goes wrong there into ProviderFailures. */
export interface ApiReader {
  /**
   * @returns parsed JSON
   * @throws ProviderFailure when the answer is no JSON or its status is not 200
   */
  getJson: (url: string, accessToken: string) => Promise<unknown>;
  asFailure: (error: unknown) => ProviderFailure;
  guard: <T>(work: Promise<T>) => Promise<T>;
}

export function createApiReader(name: string, send: Outgoing): ApiReader {
  function asFailure(error: unknown): ProviderFailure {
    if (error instanceof ProviderFailure) return error;
    if (error instanceof ZodError) {
      return new ProviderFailure(`${name} sent an answer that lacks what it should have.`, {
        transient: true,
        // Paths only: the values are somebody's data.
        cause: new Error(error.issues.map(({ path }) => path.join('.')).join(', ')),
      });
    }
    throw error;
  }
  return {
    asFailure,
    guard: (work) =>
      work.catch((error) => {
        throw asFailure(error);
      }),
    async getJson(url, accessToken) {
      const response = await send(url, {
        headers: { accept: 'application/json', authorization: `Bearer ${accessToken}` },
      });
      if (response.status !== 200) throw refusal(response, name);
      return response.json().catch(() => {
        throw new ProviderFailure(`${name} answered with something else than JSON.`, { transient: true });
      });
    },
  };
}

/** A refused question to an API, in words for users. */
export function refusal(response: Response, name: string): ProviderFailure {
  if (isRateLimit(response)) {
    return new ProviderFailure(`${name} limits how often it may be asked. Try again later.`, {
      transient: true,
      retryAfterMs: parseRetryAfter(response),
    });
  }
  if (response.status === 401 || response.status === 403) {
    return new ProviderFailure(
      `${name} does not let this token ask for that (status ${response.status}). Link the account again, or ask the administrator for more scopes.`,
      { transient: false },
    );
  }
  return new ProviderFailure(`${name} answered with status ${response.status}. Try again later.`, {
    transient: isBadMoment(response),
  });
}
