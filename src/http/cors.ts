import type { MiddlewareHandler } from 'hono';
import type { Config } from '../config.ts';
import type { AppEnv } from './app-env.ts';

const METHODS = 'GET, POST, PUT, DELETE';
const REQUEST_HEADERS = 'Authorization, Content-Type, Accept, Coder-Session-Token, X-Request-Id';
const RESPONSE_HEADERS = 'X-Request-Id, Retry-After';
/** Browsers keep a preflight for two hours at most. */
const MAX_AGE_S = '7200';

/**
 * Lets pages of the origins in `CORS_ORIGINS` read our answers, and nobody else's; none are listed by default. The
 * operator names each of them exactly, so a listed one is trusted as our own pages are: with the cookie, too, which
 * browsers send along from the same site (`portal.example.com` beside `gatehouse.example.com`).
 *
 * @returns what an answer to a request says about that; it goes before other headers
 */
export function createCorsHeaders({ http: { corsOrigins } }: Config) {
  const allowed = new Set(corsOrigins);
  return ({ headers }: Request): Record<string, string> => {
    if (allowed.size === 0) return {};
    const origin = headers.get('origin');
    // Also without an origin: a cache must not answer one origin with what another one got.
    if (origin === null || !allowed.has(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': RESPONSE_HEADERS,
      // Browsers hold this one against answers that CORS would allow, too.
      'cross-origin-resource-policy': 'cross-origin',
    };
  };
}

export function cors(config: Config): MiddlewareHandler<AppEnv> {
  const headersFor = createCorsHeaders(config);
  return async (c, next) => {
    const headers = headersFor(c.req.raw);
    const isAllowed = 'access-control-allow-origin' in headers;
    if (isAllowed && c.req.method === 'OPTIONS' && c.req.header('access-control-request-method')) {
      c.res = new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': REQUEST_HEADERS,
          'access-control-max-age': MAX_AGE_S,
        },
      });
    } else {
      await next();
    }
    for (const [name, value] of Object.entries(headers)) {
      if (name === 'vary') c.res.headers.append(name, value);
      else c.res.headers.set(name, value);
    }
  };
}
