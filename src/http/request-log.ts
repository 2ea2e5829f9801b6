import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';
import type { Viewer } from '../auth/viewer.ts';
import type { AppEnv } from './app-env.ts';

/** Probes come every few seconds and tell nothing that their absence would not. */
const PROBES = new Set(['/healthz', '/readyz']);

const MAX_PATH = 200;

/** A request that was answered. */
interface Answered {
  requestId: string;
  method: string;
  /** The template of the path, which groups the lines, and holds none of the values in it. */
  route?: string;
  /** Where there is no template. */
  path?: string;
  status: number;
  /** When it came, by `performance.now()`. */
  start: number;
  viewer: Viewer | null;
}

/**
 * One line for each request: method, route, status, milliseconds, request id, user. Never a header, a query string
 * or a body: that is where tokens and codes are.
 */
export function logRequest(log: Logger, { start, viewer, ...answered }: Answered): void {
  const level = answered.status >= 500 ? 'warn' : PROBES.has(answered.route ?? '') ? 'debug' : 'info';
  if (!log.isLevelEnabled(level)) return;
  const ms = Math.round((performance.now() - start) * 10) / 10;
  log[level]({ ...answered, ms, userId: viewer?.user.id }, 'request');
}

export function requestLog(log: Logger): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const { method, path } = c.req;
    const route = routePath(c);
    logRequest(log, {
      requestId: c.get('requestId'),
      method,
      ...(route.endsWith('*') ? { path: path.slice(0, MAX_PATH) } : { route }),
      status: c.res.status,
      start,
      viewer: c.get('viewer') ?? null,
    });
  };
}
