import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from './app-env.ts';
import { readBytes, tooLarge } from './read-body.ts';

/**
 * Refuses bodies that are too large, whoever reads them. A length that is given is checked, and held to by Node's
 * parser; a body without one (`Transfer-Encoding: chunked`) is read here, up to the limit.
 */
export function limitBody(maxBytes: number): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { raw, method } = c.req;
    const length = raw.headers.get('content-length');
    if (length !== null) {
      if (Number(length) > maxBytes) throw tooLarge(maxBytes);
    } else if (method !== 'GET' && method !== 'HEAD' && raw.body) {
      c.req.raw = new Request(raw, { body: await readBytes(raw, maxBytes) });
    }
    await next();
  };
}
