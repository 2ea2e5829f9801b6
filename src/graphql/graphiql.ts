import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { Hono } from 'hono';
import type { AppEnv } from '../http/app-env.ts';

/** What the editor opens with. It works for the first user, and a test keeps it valid. */
export const OPENING_QUERY = `# Gatehouse: an account's credentials in one API.
#
# Sign in first: with the link at the top right,
# or with a token under "Headers" below.
#
# Ctrl-Enter runs this, Ctrl-Space completes, and the
# book on the left describes every type.

query Me {
  viewer {
    username
    displayName
    sshKeys(first: 5) {
      totalCount
      edges {
        node {
          title
          fingerprint
          state
        }
      }
    }
    apiTokens(first: 5) {
      totalCount
      edges {
        node {
          name
          scopes
          expiresAt
        }
      }
    }
  }
}
`;

/** The editor takes comments in headers. */
const HEADERS_HINT = `{
  // "Authorization": "Bearer <your token>"
}`;

/**
 * Scripts and workers are files of ours and nothing is loaded from elsewhere. The editor sets styles as it draws,
 * hence the one exception.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page is a few lines; the 9 MB of the editor are files that a browser fetches once, compressed to 2 MB. */
export function createGraphiqlRoutes(): Hono<AppEnv> {
  let loading: Promise<Bundle> | undefined;
  // Loaded by the first who opens the page: a server that nobody explores never reads the editor.
  const bundle = () => {
    loading ??= loadBundle();
    return loading;
  };

  const routes = new Hono<AppEnv>();
  routes.get('/graphql', async (c, next) => {
    if (!c.req.header('accept')?.includes('text/html')) return next();
    const { page } = await bundle();
    c.header('Cache-Control', 'no-cache');
    c.header('Vary', 'Accept');
    c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    return c.html(page);
  });
  routes.get('/graphiql/:version/:name', async (c, next) => {
    const { version, assets } = await bundle();
    const asset = c.req.param('version') === version && assets.get(c.req.param('name'));
    if (!asset) return next();
    const encoding = preferredEncoding(c.req.header('accept-encoding'));
    c.header('Content-Type', asset.type);
    c.header('Cache-Control', 'public, max-age=31536000, immutable');
    c.header('ETag', `"${version}-${encoding}"`);
    c.header('Vary', 'Accept-Encoding');
    if (encoding !== 'identity') c.header('Content-Encoding', encoding);
    return c.body(asset[encoding]);
  });
  return routes;
}

type Encoding = 'br' | 'gzip' | 'identity';

type Asset = { type: string } & Record<Encoding, Uint8Array<ArrayBuffer>>;

interface Bundle {
  page: string;
  /** Part of each file's address, so that the files can be cached for good. */
  version: string;
  assets: Map<string, Asset>;
}

async function loadBundle(): Promise<Bundle> {
  const files = await import('@graphql-yoga/render-graphiql/graphiql');
  const contents: [name: string, type: string, content: string | Uint8Array][] = [
    ['graphiql.css', 'text/css', files.css],
    ['graphiql.js', 'text/javascript', files.js],
    ['start.js', 'text/javascript', START],
    ['editorWorkerService.js', 'text/javascript', files.editorWorkerService],
    ['json.js', 'text/javascript', files.jsonWorker],
    ['graphql.js', 'text/javascript', files.graphqlWorker],
    ['favicon.ico', 'image/x-icon', Buffer.from(files.favicon.replace(/^data:[^,]*,/, ''), 'base64')],
  ];
  const hash = createHash('sha256');
  for (const [name, , content] of contents) hash.update(name).update(content);
  const version = hash.digest('hex').slice(0, 16);
  const assets = await Promise.all(
    contents.map(
      async ([name, type, content]) => [name, await compress(type, Buffer.from(content))] as const,
    ),
  );
  return { page: pageOf(version), version, assets: new Map(assets) };
}

async function compress(type: string, content: Buffer<ArrayBuffer>): Promise<Asset> {
  // More than 5 takes three times as long for 4 % less.
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  const [br, gzipped] = await Promise.all([
    promisify(brotliCompress)(content, { params }),
    promisify(gzip)(content),
  ]);
  return { type: `${type}; charset=utf-8`, identity: content, br, gzip: gzipped };
}

function preferredEncoding(accepted = ''): Encoding {
  const accepts = (name: string) =>
    new RegExp(`(?:^|[ ,])${name}(?! *; *q=0(?:\\.0*)?(?:,|$))`, 'i').test(accepted);
  if (accepts('br')) return 'br';
  return accepts('gzip') ? 'gzip' : 'identity';
}

/** Runs in the browser after the editor's own script. */
const START = `'use strict';
const base = document.currentScript.src.replace(/[^/]*$/, '');
self.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) => base + label + '.js',
};
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
  title: 'Gatehouse &nbsp; <a href="/login">Sign in</a>',
  endpoint: '/graphql',
  headers: ${JSON.stringify(HEADERS_HINT)},
  defaultQuery: ${JSON.stringify(OPENING_QUERY)},
  // A token does not belong into the browser's storage, nor a mutation's secrets into its history.
  shouldPersistHeaders: false,
  onEditQuery: () => {},
});
`;

function pageOf(version: string): string {
  const base = `/graphiql/${version}`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Gatehouse</title>
    <link rel="icon" href="${base}/favicon.ico">
    <link rel="stylesheet" href="${base}/graphiql.css">
  </head>
  <body class="no-focus-outline">
    <noscript>GraphiQL needs JavaScript.</noscript>
    <div id="root"></div>
    <script src="${base}/graphiql.js"></script>
    <script src="${base}/start.js"></script>
  </body>
</html>
`;
}
