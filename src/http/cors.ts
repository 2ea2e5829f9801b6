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
 */
export function cors({ http: { corsOrigins } }: Config): MiddlewareHandler<AppEnv> {
  const allowed = new Set(corsOrigins);
  return async (c, next) => {
    if (allowed.size === 0) return next();
    const origin = c.req.header('origin');
    const isAllowed = origin !== undefined && allowed.has(origin);

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

    // Also without an origin: a cache must not answer one origin with what another one got.
    c.res.headers.append('vary', 'Origin');
    if (!isAllowed) return;
    c.res.headers.set('access-control-allow-origin', origin);
    c.res.headers.set('access-control-allow-credentials', 'true');
    c.res.headers.set('access-control-expose-headers', RESPONSE_HEADERS);
    // Browsers hold this one against answers that CORS would allow, too.
    c.res.headers.set('cross-origin-resource-policy', 'cross-origin');
  };
}
