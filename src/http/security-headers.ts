import type { MiddlewareHandler } from 'hono';
import type { Config } from '../config.ts';
import type { AppEnv } from './app-env.ts';

const YEAR_S = 31_536_000;

/** What every answer says to a browser. An answer that has its own `Cache-Control` or policy keeps it. */
export function securityHeaders({ http }: Config): MiddlewareHandler<AppEnv> {
  const always: [name: string, value: string][] = [
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    // Not `no-referrer`: browsers then send `Origin: null` with our own forms, and same-origin.ts would refuse them.
    ['referrer-policy', 'same-origin'],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
  ];
  if (http.publicUrl.startsWith('https:')) {
    always.push(['strict-transport-security', `max-age=${YEAR_S}`]);
  }
  const unlessSet: [name: string, value: string][] = [
    ['cache-control', 'no-store'],
    ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ];
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    for (const [name, value] of always) headers.set(name, value);
    for (const [name, value] of unlessSet) if (!headers.has(name)) headers.set(name, value);
  };
}
