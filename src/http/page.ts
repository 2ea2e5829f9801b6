import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { html, raw } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { AppEnv } from './app-env.ts';

/** Text that is HTML already: what the tag `html` of `hono/html` makes, which escapes all that it is given. */
type Html = ReturnType<typeof html>;

export interface Page {
  /** @default 200 */
  status?: number;
  /** The heading, and the title of the window. Plain text. */
  title: string;
  /** What follows the heading: paragraphs, forms, links of the class `button`. */
  body: Html;
  /**
   * Whether a form of this page may end up on another site: browsers hold `form-action` against the redirects that
   * follow a form, too. @default false
   */
  formLeadsAway?: boolean;
}

const STYLE = `
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 12vh auto 2rem; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
label { display: block; font-weight: 600; }
input { box-sizing: border-box; width: 100%; margin: .25rem 0 1rem; padding: .5rem .75rem; font: inherit; }
button, .button { display: inline-block; padding: .5rem 1.25rem; border: 1px solid #1a56db; border-radius: .375rem;
  background: #1a56db; color: #fff; font: inherit; text-decoration: none; cursor: pointer; }
code { font: .9375em ui-monospace, monospace; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid #f59e0b; outline-offset: 2px; }
[role="alert"] { padding: .5rem .75rem; border-left: .25rem solid #c81e1e; }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** A small page for people: it needs no script, and nothing beyond its own text is loaded. */
export async function renderPage(
  c: Context<AppEnv>,
  { status = 200, title, body, formLeadsAway = false }: Page,
): Promise<Response> {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    'img-src data:',
    "base-uri 'none'",
    ...(formLeadsAway ? [] : ["form-action 'self'"]),
    "frame-ancestors 'none'",
  ];
  c.header('Content-Security-Policy', policy.join('; '));
  // Pages tell who is signed in.
  c.header('Cache-Control', 'no-store');
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Gatehouse</title>
<link rel="icon" href="data:,">
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return c.html(page, status as ContentfulStatusCode);
}
