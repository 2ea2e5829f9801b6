import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';
import type { AppEnv } from './app-env.ts';

/** Probes come every few seconds and tell nothing that their absence would not. */
const PROBES = new Set(['/healthz', '/readyz']);

const MAX_PATH = 200;

/**
 * One line for each request: method, route, status, milliseconds, request id, user. Never a header, a query string
 * or a body: that is where tokens and codes are.
 */
export function requestLog(log: Logger): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const { status } = c.res;
    const level = status >= 500 ? 'warn' : PROBES.has(c.req.path) ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return;
    const route = routePath(c);
    const { method, path } = c.req;
    const line = {
      requestId: c.get('requestId'),
      method,
      // The template groups the lines, and holds none of the values in the path. An unknown path has none.
      ...(route.endsWith('*') ? { path: path.slice(0, MAX_PATH) } : { route }),
      status,
      ms: Math.round((performance.now() - start) * 10) / 10,
      userId: c.get('viewer')?.user.id,
    };
    log[level](line, 'request');
  };
}
