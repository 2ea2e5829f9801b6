import type { MiddlewareHandler } from 'hono';
import { authenticate, readCredential } from '../auth/authenticate.ts';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';
import { requireSameOrigin } from './same-origin.ts';

/** Finds out who asks. Whether they may is for the operation to say. */
export function identify(runtime: Runtime): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const credential = readCredential(c.req.raw.headers);
    if (credential?.viaCookie) requireSameOrigin(c.req.raw, runtime.config);
    c.set('hasCredential', credential !== null);
    c.set('viewer', credential && (await authenticate(runtime, credential.token)));
    await next();
  };
}
