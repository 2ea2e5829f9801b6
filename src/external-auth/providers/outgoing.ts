import { createBreaker, createPlaces, DEFAULT_LIMITS, type OutgoingLimits } from './outgoing-limits.ts';
import { ProviderFailure } from './provider.ts';

/**
 * One HTTP call to the provider. The answer is complete: its body is in memory, within the limits.
 *
 * @throws ProviderFailure, always transient: it is no word on anybody's grant
 */
export type Outgoing = (url: string | URL, init?: RequestInit) => Promise<Response>;

/**
 * The one way out to a provider. A provider that hangs, floods or lies costs at most the limits, and its answers
 * cannot lead us to another host: only configured origins are called, and no redirect is followed (a redirect would
 * carry client secrets and tokens along, and reach what stands behind our firewall).
 *
 * @param name how messages call the provider
 * @param isAllowed whether the provider's configuration covers this origin
 */
export function createOutgoing({
  name,
  fetch,
  clock,
  isAllowed,
  limits: given = {},
}: {
  name: string;
  fetch: typeof globalThis.fetch;
  clock: () => Date;
  isAllowed: (origin: string) => boolean;
  limits?: Partial<OutgoingLimits>;
}): Outgoing {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const places = createPlaces(limits);
  const breaker = createBreaker(limits, clock);

  return async (address, init = {}) => {
    const url = new URL(address);
    if (!isAllowed(url.origin)) {
      throw new ProviderFailure(
        `${name} asks us to call ${url.host}, which is not among the hosts of its configuration.`,
        { transient: true },
      );
    }
    if (!breaker.mayCall()) {
      throw new ProviderFailure(
        `${name} has not answered for a while, so it is not asked now. Try again later.`,
        {
          transient: true,
        },
      );
    }
    const aborter = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const timeOut = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        breaker.timedOut();
        reject(
          new ProviderFailure(
            `${name} did not answer within ${limits.timeoutMs / 1_000} seconds. Try again later.`,
            { transient: true },
          ),
        );
        aborter.abort();
      }, limits.timeoutMs);
    });
    const call = async () => {
      if (!(await places.take(aborter.signal))) {
        throw new ProviderFailure(`Too many calls to ${name} are waiting already. Try again later.`, {
          transient: true,
        });
      }
      try {
        const response = await fetch(url, {
          ...init,
          headers: { 'user-agent': 'gatehouse', ...(init.headers as Record<string, string>) },
          redirect: 'manual',
          signal: aborter.signal,
        });
        return await readWhole(response, name, limits.bodyBytes, aborter);
      } catch (error) {
        if (error instanceof ProviderFailure) throw error;
        throw new ProviderFailure(
          `${name} cannot be reached (${describeNetworkError(error)}). Try again later.`,
          {
            transient: true,
            cause: error,
          },
        );
      } finally {
        places.give();
        if (!isLate) breaker.answered();
      }
    };
    try {
      return await Promise.race([call(), timeOut]);
    } finally {
      clearTimeout(timer);
    }
  };
}

async function readWhole(
  response: Response,
  name: string,
  limit: number,
  aborter: AbortController,
): Promise<Response> {
  if (response.status >= 300 && response.status < 400) {
    const to = response.headers.get('location') ?? '';
    aborter.abort();
    const target = URL.canParse(to, response.url || undefined)
      ? new URL(to, response.url || undefined).host
      : '';
    throw new ProviderFailure(
      `${name} answered with a redirect${target && ` to ${target}`}, which is never followed. Its administrator should check the provider's URLs.`,
      { transient: true },
    );
  }
  if (response.status < 200 || response.status > 599) {
    aborter.abort();
    throw new ProviderFailure(`${name} answered with the unknown status ${response.status}.`, {
      transient: true,
    });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) {
      aborter.abort();
      throw new ProviderFailure(`${name} sent an answer of more than ${limit} bytes, which was not read.`, {
        transient: true,
      });
    }
    chunks.push(chunk);
  }
  const headers = new Headers(response.headers);
  headers.delete('content-encoding');
  headers.delete('content-length');
  return new Response(size > 0 ? Buffer.concat(chunks) : null, { status: response.status, headers });
}

const NETWORK_ERRORS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name cannot be resolved now',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'connecting took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that is not trusted here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** Never the error's own text: it may hold addresses and more. */
function describeNetworkError(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (NETWORK_ERRORS[code]) return NETWORK_ERRORS[code];
  }
  return 'the connection failed';
}
