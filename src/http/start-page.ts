import { Hono } from 'hono';
import { html } from 'hono/html';
import type { Config } from '../config.ts';
import type { AppEnv } from './app-env.ts';
import { renderPage } from './page.ts';

/** `/`: where to go from here, and who is signed in. */
export function createStartPage({ graphql }: Config): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/', (c) => {
    const viewer = c.get('viewer');
    return renderPage(c, {
      title: 'Gatehouse',
      body: html`<p>One API for the credentials of an account: linked external accounts, SSH keys, OAuth apps.</p>
<ul>
${graphql.graphiql && html`<li><a href="/graphql">GraphiQL</a>: try the GraphQL API</li>`}
<li><a href="/docs">REST APIs</a>: what existing clients may ask</li>
</ul>
${
  viewer
    ? html`<form method="post" action="/logout"><p>Signed in as <strong>${viewer.user.username}</strong>.</p><button>Sign out</button></form>`
    : html`<p><a class="button" href="/login">Sign in</a></p>`
}`,
    });
  });
  return app;
}
