import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { Config } from '../config.ts';
import type { AppEnv } from '../http/app-env.ts';
import { type BoundFlow, FLOW_MS } from './flow.service.ts';

/** As many flows may be under way in one browser. A further one ends the oldest. */
const MAX_FLOWS = 8;

/**
 * One cookie for each flow, named by it, so that flows in several tabs do not disturb each other. On https its name
 * has the prefix that pins it to this host (RFC 6265bis): a neighbouring host cannot plant one.
 */
export function createFlowCookies({ http }: Config) {
  const secure = http.publicUrl.startsWith('https:');
  const prefix = secure ? '__Host-gatehouse_flow_' : 'gatehouse_flow_';

  const drop = (c: Context<AppEnv>, name: string) => void deleteCookie(c, name, { path: '/', secure });

  return {
    /** Null when this browser has no part in the flow. */
    read: (c: Context<AppEnv>, flowId: string): string | null => getCookie(c, prefix + flowId) ?? null,

    write(c: Context<AppEnv>, { id, browserSecret }: BoundFlow): void {
      // Ids sort by the time they were made.
      const others = Object.keys(getCookie(c))
        .filter((name) => name.startsWith(prefix) && name !== prefix + id)
        .sort();
      for (const name of others.slice(0, Math.max(0, others.length - MAX_FLOWS + 1))) drop(c, name);
      setCookie(c, prefix + id, browserSecret, {
        path: '/',
        httpOnly: true,
        // The provider's redirect to the callback is a top-level navigation, with which `Lax` cookies come along.
        sameSite: 'Lax',
        secure,
        maxAge: FLOW_MS / 1_000,
      });
    },

    clear: (c: Context<AppEnv>, flowId: string): void => drop(c, prefix + flowId),
  };
}
