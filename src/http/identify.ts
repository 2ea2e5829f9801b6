import type { MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';
import { authenticate, readCredential, sessionCookie } from '../auth/authenticate.ts';
import type { Viewer } from '../auth/viewer.ts';
import { BASE_PATH as CODER_BASE_PATH } from '../rest/coder/schemas.ts';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';
import { requireSameOrigin } from './same-origin.ts';

export interface Identity {
  /** Null when the request carries no credential, or one that is not valid. */
  viewer: Viewer | null;
  /** Whether a credential came along, valid or not. */
  hasCredential: boolean;
}

/**
 * Finds out who asks. Whether they may is for the operation to say.
 *
 * @returns a function that throws CrossSiteRequest
 */
export function createIdentify(runtime: Runtime): (request: Request) => Promise<Identity> {
  const session = sessionCookie(runtime.config);
  return async (request) => {
    // Only where it is documented. Another host of the domain may set it: whoever was signed in that way on the way
    // to a provider would link their account to somebody else.
    const documented = getPath(request).startsWith(`${CODER_BASE_PATH}/`) ? ['coder_session_token'] : [];
    const credential = readCredential(request.headers, [session, ...documented]);
    if (!credential) return { viewer: null, hasCredential: false };
    if (credential.viaCookie) requireSameOrigin(request, runtime.config);
    return { viewer: await authenticate(runtime, credential.token), hasCredential: true };
  };
}

export function identify(runtime: Runtime): MiddlewareHandler<AppEnv> {
  const find = createIdentify(runtime);
  return async (c, next) => {
    if (c.env.failed) throw c.env.failed.error;
    const { viewer, hasCredential } = await find(c.req.raw);
    c.set('viewer', viewer);
    c.set('hasCredential', hasCredential);
    await next();
  };
}
