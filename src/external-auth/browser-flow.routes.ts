import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import { grants } from '../auth/scopes.ts';
import { Forbidden } from '../errors.ts';
import type { AppEnv } from '../http/app-env.ts';
import { localPath } from '../http/local-path.ts';
import { renderPage } from '../http/page.ts';
import { requireSameOrigin } from '../http/same-origin.ts';
import type { Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import {
  type BoundFlow,
  FlowRefused,
  findFlow,
  finishFlow,
  leaveWithTicket,
  openTicket,
  startFlow,
} from './flow.service.ts';
import { createFlowCookies } from './flow-cookies.ts';
import { faultOf, renderConfirmation, renderFault, renderUnknownProvider } from './flow-pages.ts';
import type { Provider } from './providers/provider.ts';
import { comesFromTrustedPage } from './trusted-navigation.ts';

type Handler = (c: Context<AppEnv>, provider: Provider) => Promise<Response>;

/**
 * The web flow, for browsers: `/external-auth/:id` starts it for whoever is signed in, `…/start` takes a front end's
 * ticket, `…/callback` is where the provider sends the browser back to.
 */
export function createBrowserFlowRoutes(runtime: Runtime): Hono<AppEnv> {
  const { config, providers } = runtime;
  const cookies = createFlowCookies(config);
  const trusted = [config.http.publicUrl, ...config.http.corsOrigins];
  const app = new Hono<AppEnv>();

  /** Finds the provider, and shows a page for what goes wrong. */
  const page =
    (handle: Handler) =>
    async (c: Context<AppEnv>): Promise<Response> => {
      // Hono answers HEAD as it would GET, and a preview of a link must not use it up.
      if (c.req.method === 'HEAD') return refuseMethod(c, 'GET');
      const provider = providers.find(c.req.param('id') ?? '');
      if (!provider) return renderUnknownProvider(c);
      try {
        return await handle(c, provider);
      } catch (error) {
        const fault = faultOf(error, provider, new URL(c.req.url));
        if (!fault) throw error;
        if (fault.status >= 500) {
          runtime.log.warn({ err: error, requestId: c.get('requestId') }, 'web flow failed');
        }
        return renderFault(c, fault, provider);
      }
    };

  const start: Handler = async (c, provider) => {
    const viewer = c.get('viewer');
    if (!viewer) {
      const { pathname, search } = new URL(c.req.url);
      return c.redirect(`/login?next=${encodeURIComponent(pathname + search)}`, 303);
    }
    if (!grants(viewer.scopes, 'external_auth:write')) {
      throw new Forbidden('Your token lacks the scope external_auth:write.');
    }
    const flow = await startFlow(runtime, viewer, provider, localPath(c.req.query('redirect')));
    cookies.write(c, flow);
    return c.redirect(flow.url.href, 303);
  };

  const takeTicket: Handler = async (c, provider) => {
    const viewer = c.get('viewer');
    const flow = await openTicket(runtime, viewer, provider, c.req.query('ticket') ?? '');
    cookies.write(c, flow);
    if (viewer || comesFromTrustedPage(c.req.raw.headers, trusted)) {
      return c.redirect((await leaveWithTicket(runtime, viewer, provider, flow)).href, 303);
    }
    const { username, id } = flow;
    return renderConfirmation(c, provider, { username, flowId: id, token: confirmationToken(flow) });
  };

  const confirm: Handler = async (c, provider) => {
    requireSameOrigin(c.req.raw, config);
    const { flow: id, token } = await c.req.parseBody();
    const browserSecret = typeof id === 'string' ? cookies.read(c, id) : null;
    if (typeof id !== 'string' || browserSecret === null) throw new FlowRefused('OTHER_BROWSER');
    const flow = { id, browserSecret };
    // Only the page that we showed to this browser knows it.
    if (token !== confirmationToken(flow)) throw new FlowRefused('OTHER_BROWSER');
    return c.redirect((await leaveWithTicket(runtime, c.get('viewer'), provider, flow)).href, 303);
  };

  const comeBack: Handler = async (c, provider) => {
    const url = new URL(c.req.url);
    const { searchParams } = url;
    // As Coder's own front end begins: at the callback.
    if (!['code', 'error', 'state'].some((name) => searchParams.has(name))) return start(c, provider);
    const state = searchParams.get('state');
    if (!state) {
      return renderFault(
        c,
        {
          status: 400,
          title: 'The answer has no state',
          message: 'What the provider sent back has no "state".',
        },
        provider,
      );
    }
    const flow = await findFlow(runtime, state);
    const browserSecret = cookies.read(c, flow.id);
    cookies.clear(c, flow.id);
    const { viewer, requestId } = c.var;
    const redirectTo = await finishFlow(runtime, provider, flow, { url, viewer, browserSecret, requestId });
    // Once more: what was stored long ago is not trusted more than what comes along.
    return c.redirect(localPath(redirectTo), 303);
  };

  app.get('/external-auth/:id', page(start));
  app.get('/external-auth/:id/start', page(takeTicket));
  app.post('/external-auth/:id/start', page(confirm));
  app.get('/external-auth/:id/callback', page(comeBack));
  for (const [path, allow] of [
    ['/external-auth/:id', 'GET'],
    ['/external-auth/:id/start', 'GET, POST'],
    ['/external-auth/:id/callback', 'GET'],
  ] as const) {
    app.all(path, (c) => refuseMethod(c, allow));
  }
  return app;
}

function confirmationToken({ browserSecret }: BoundFlow): string {
  return Buffer.from(sha256(`confirmation ${browserSecret}`)).toString('base64url');
}

function refuseMethod(c: Context<AppEnv>, allow: string): Promise<Response> | Response {
  c.header('allow', allow);
  return renderPage(c, {
    status: 405,
    title: 'This address takes no such request',
    body: html`<p>Open it in a browser.</p>`,
  });
}
