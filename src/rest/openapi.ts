import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { OpenAPIHono } from '@hono/zod-openapi';
import { Hono } from 'hono';
import type { AppEnv } from '../http/app-env.ts';
import type { Runtime } from '../runtime.ts';
import { BASE_PATH, routes as coderRoutes } from './coder/schemas.ts';
import { gitflicRoutes } from './gitflic/schemas.ts';
import type { RestRoute } from './mount-routes.ts';

const DESCRIPTION = `Two REST APIs that existing clients speak. Each request runs a GraphQL operation: \`/graphql\` can do all of it, and more.

- **External auth**, below \`${BASE_PATH}\`, is Coder's dialect.
- **Settings** is GitFlic's dialect. It is served at the root, as documented here, and in the same way below \`/rest-api\`.

Every path takes a trailing slash too. A token is made by the mutation \`createApiToken\` or by \`gatehouse token create\`.`;

/** Each token works in each of them; the names say who sends it that way. */
const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A token of this API.' },
  gitflicToken: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: "As GitFlic's clients send it: `token` and a space before the token.",
  },
  coderSessionToken: {
    type: 'apiKey',
    in: 'header',
    name: 'Coder-Session-Token',
    description: "As Coder's clients send it.",
  },
  coderSessionCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'coder_session_token',
    description: 'As a browser sends it.',
  },
} as const;

/** The OpenAPI 3.1 document of both dialects, made of the lists that the server routes by. */
export function openApiDocument({ limits }: Runtime['config']): object {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  const all: [base: string, routes: RestRoute[]][] = [
    [BASE_PATH, Object.values(coderRoutes)],
    ['', Object.values(gitflicRoutes(limits.pageSize))],
  ];
  for (const [base, routes] of all) {
    for (const route of routes) registry.registerPath({ ...route, path: base + route.path });
  }
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES)) {
    registry.registerComponent('securitySchemes', name, scheme);
  }
  return getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Gatehouse',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'MIT' },
    },
    // Where the document came from: a page that was opened as localhost may not call another name's address.
    servers: [{ url: '/' }],
  });
}

const ASSETS: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

/** A script of its own, so that the page needs no inline one. Without a validator: it would call out. */
const START_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
});
`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse: REST APIs</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** Everything comes from here, and requests go nowhere else. Swagger UI's icons are data URLs. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `/openapi.json`, and `/docs` to browse it, from bundled files. */
export function createOpenApiRoutes(runtime: Runtime): Hono<AppEnv> {
  const { resolve } = createRequire(import.meta.url);
  const app = new Hono<AppEnv>();
  let document: object | undefined;

  app.get('/openapi.json', (c) => {
    document ??= openApiDocument(runtime.config);
    return c.json(document, 200, { 'cache-control': 'no-cache' });
  });
  app.get('/docs', (c) => c.html(PAGE, 200, { 'content-security-policy': PAGE_POLICY }));
  app.get('/docs/', (c) => c.redirect('/docs', 301));
  app.get('/docs/start.js', (c) =>
    c.body(START_SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }),
  );
  for (const [name, type] of Object.entries(ASSETS)) {
    app.get(`/docs/${name}`, async (c) => {
      const bytes = await readFile(resolve(`swagger-ui-dist/${name}`));
      return c.body(bytes, 200, { 'content-type': type, 'cache-control': 'public, max-age=86400' });
    });
  }
  return app;
}
