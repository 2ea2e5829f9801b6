import type { RouteConfig } from '@hono/zod-openapi';
import type { Context, Hono } from 'hono';
import type { AppEnv } from '../http/app-env.ts';

export type RestHandler = (c: Context<AppEnv>) => Response | Promise<Response>;

/** A documented request, as `createRoute` makes it. */
export type RestRoute = RouteConfig & { getRoutingPath: () => string };

/**
 * Registers each documented request, with and without a trailing slash. Its path answers `OPTIONS` with what it
 * takes, and any other method by `wrongMethod`.
 *
 * @param base what stands before the documented paths; may be empty
 * @param wrongMethod given the value of the `Allow` header (RFC 9110 section 15.5.6 asks for it)
 */
export function mountRoutes<Name extends string>(
  app: Hono<AppEnv>,
  base: string,
  routes: Record<Name, RestRoute>,
  handlers: Record<Name, RestHandler>,
  wrongMethod: (c: Context<AppEnv>, allow: string) => Response | Promise<Response>,
): void {
  const methods = new Map<string, string[]>();
  for (const name of Object.keys(routes) as Name[]) {
    const path = base + routes[name].getRoutingPath();
    const method = routes[name].method.toUpperCase();
    app.on(method, withSlash(path), handlers[name]);
    // Hono answers HEAD as it would GET, without the body.
    methods.set(path, [
      ...(methods.get(path) ?? ['OPTIONS']),
      ...(method === 'GET' ? ['GET', 'HEAD'] : [method]),
    ]);
  }
  for (const [path, taken] of methods) {
    const allow = taken.sort().join(', ');
    app.on('OPTIONS', withSlash(path), (c) => c.body(null, 204, { allow }));
    app.on('ALL', withSlash(path), (c) => wrongMethod(c, allow));
  }
}

function withSlash(path: string): string[] {
  return [path, `${path}/`];
}
