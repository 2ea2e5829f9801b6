import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from './app-env.ts';

/** What a proxy in front may choose. It goes into logs and answers, hence no more than these characters. */
const GIVEN = /^[\w.:-]{8,128}$/;

/** Each request has an id: the one that came as `X-Request-Id`, or a new one. Log lines and audit rows bear it. */
export function requestIdOf({ headers }: Request): string {
  const given = headers.get('x-request-id');
  return given && GIVEN.test(given) ? given : randomUUID();
}

export function requestId(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    c.set('requestId', c.env.requestId ?? requestIdOf(c.req.raw));
    await next();
    c.res.headers.set('x-request-id', c.get('requestId'));
  };
}
