import { type Context, Hono } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { authenticate, sessionCookie } from '../auth/authenticate.ts';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';
import { localPath } from './local-path.ts';
import { renderPage } from './page.ts';
import { UnreadableBody } from './read-body.ts';
import { requireSameOrigin } from './same-origin.ts';

/**
 * `/login` takes a token and keeps it in a cookie, so that GraphiQL and the link flow work in a browser; `/logout`
 * drops it. The cookie ends with the browser's session, and is worth no more than its token.
 */
export function createSessionRoutes(runtime: Runtime): Hono<AppEnv> {
  const secure = runtime.config.http.publicUrl.startsWith('https:');
  const name = sessionCookie(runtime.config);
  const app = new Hono<AppEnv>();

  app.get('/login', (c) => {
    const next = localPath(c.req.query('next'));
    const viewer = c.get('viewer');
    if (!viewer) return askForToken(c, next);
    return renderPage(c, {
      title: `Signed in as ${viewer.user.username}`,
      body: html`<p><a class="button" href="${next}">Go on</a></p>
<form method="post" action="/logout"><button>Sign out</button></form>`,
    });
  });

  app.post('/login', async (c) => {
    // Another site must not sign somebody in as somebody else, who would then receive their linked accounts.
    requireSameOrigin(c.req.raw, runtime.config);
    const form = await readForm(c);
    const next = localPath(form.get('next'));
    const token = form.get('token')?.trim();
    const viewer = token ? await authenticate(runtime, token) : null;
    if (!token || !viewer) {
      c.header('www-authenticate', 'Bearer realm="Gatehouse"');
      return askForToken(c, next, 'This token is unknown, expired or revoked.');
    }
    setCookie(c, name, token, { path: '/', httpOnly: true, sameSite: 'Lax', secure });
    return c.redirect(next, 303);
  });

  app.post('/logout', (c) => {
    requireSameOrigin(c.req.raw, runtime.config);
    deleteCookie(c, name, { path: '/', secure });
    return c.redirect('/login', 303);
  });

  return app;
}

function askForToken(c: Context<AppEnv>, next: string, refusal?: string): Promise<Response> {
  return renderPage(c, {
    status: refusal ? 401 : 200,
    title: 'Sign in',
    // The way to a provider begins here.
    formLeadsAway: next.startsWith('/external-auth/'),
    body: html`${refusal && html`<p role="alert" id="refusal">${refusal}</p>`}
<form method="post" action="/login">
<input type="hidden" name="next" value="${next}">
<label for="token">API token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="off" spellcheck="false"
  ${refusal && html`aria-invalid="true" aria-describedby="refusal"`}>
<button>Sign in</button>
</form>
<p>The first start printed a token. An administrator makes others: <code>gatehouse token create</code>.</p>`,
  });
}

/** @throws UnreadableBody when it is no form */
async function readForm(c: Context<AppEnv>): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded *(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new UnreadableBody('UNSUPPORTED_MEDIA_TYPE', 415, 'This path takes the form of its page.');
  }
  return new URLSearchParams(await c.req.text());
}
