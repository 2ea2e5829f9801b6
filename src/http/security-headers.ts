import type { MiddlewareHandler } from 'hono';
import type { Config } from '../config.ts';
import type { AppEnv } from './app-env.ts';

const YEAR_S = 31_536_000;

/** What every answer says to a browser, unless it has its own. */
export function securityHeadersOf({ http }: Config): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // Not `no-referrer`: browsers then send `Origin: null` with our own forms, and same-origin.ts would refuse them.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...(http.publicUrl.startsWith('https:') && { 'strict-transport-security': `max-age=${YEAR_S}` }),
  };
}

export function securityHeaders(config: Config): MiddlewareHandler<AppEnv> {
  const entries = Object.entries(securityHeadersOf(config));
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    for (const [name, value] of entries) if (!headers.has(name)) headers.set(name, value);
  };
}
