import type { MiddlewareHandler } from 'hono';
import { authenticate, readCredential, sessionCookie } from '../auth/authenticate.ts';
import { BASE_PATH as CODER_BASE_PATH } from '../rest/coder/schemas.ts';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';
import { requireSameOrigin } from './same-origin.ts';

/** Finds out who asks. Whether they may is for the operation to say. */
export function identify(runtime: Runtime): MiddlewareHandler<AppEnv> {
  const session = sessionCookie(runtime.config);
  return async (c, next) => {
    // Only where it is documented. Another host of the domain may set it: whoever was signed in that way on the way
    // to a provider would link their account to somebody else.
    const documented = c.req.path.startsWith(`${CODER_BASE_PATH}/`) ? ['coder_session_token'] : [];
    const credential = readCredential(c.req.raw.headers, [session, ...documented]);
    if (credential?.viaCookie) requireSameOrigin(c.req.raw, runtime.config);
    c.set('hasCredential', credential !== null);
    c.set('viewer', credential && (await authenticate(runtime, credential.token)));
    await next();
  };
}
