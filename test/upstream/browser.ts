/** A page that a browser shows. */
interface Page {
  url: URL;
  status: number;
  text: string;
  /** The page's first form, null when it has none. */
  form: { action: URL; fields: Record<string, string> } | null;
}

/** As much of a browser as sign-in pages need: cookies, redirects, forms. One user's session each. */
export interface Browser {
  /** @param until an address that is reached but not opened */
  open: (url: URL, until?: (url: URL) => boolean) => Promise<Page>;
  submit: (page: Page, values: Record<string, string>, until?: (url: URL) => boolean) => Promise<Page>;
}

export function createBrowser(fetch: typeof globalThis.fetch = globalThis.fetch): Browser {
  /** By origin, then path and name, since sign-in pages keep one cookie for each of their paths. */
  const cookies: Array<{ origin: string; path: string; name: string; value: string }> = [];

  function cookieHeader(url: URL): string {
    return cookies
      .filter(({ origin, path }) => origin === url.origin && url.pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  function keepCookies(url: URL, response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(/;\s*/);
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      const path = attributes.find((text) => /^path=/i.test(text))?.slice('path='.length) ?? '/';
      const old = cookies.findIndex(
        (cookie) => cookie.origin === url.origin && cookie.path === path && cookie.name === name,
      );
      if (old >= 0) cookies.splice(old, 1);
      if (value !== '') cookies.push({ origin: url.origin, path, name, value });
    }
  }

  async function visit(url: URL, init: RequestInit, until: (url: URL) => boolean): Promise<Page> {
    let target = url;
    let request = init;
    for (let hop = 0; hop < 15; hop++) {
      if (until(target)) return { url: target, status: 0, text: '', form: null };
      const response = await fetch(target, {
        ...request,
        redirect: 'manual',
        headers: { accept: 'text/html', cookie: cookieHeader(target), ...(request.headers as object) },
      });
      keepCookies(target, response);
      const location = response.headers.get('location');
      if (!location) {
        const text = await response.text();
        return { url: target, status: response.status, text, form: readForm(text, target) };
      }
      await response.body?.cancel();
      target = new URL(location, target);
      request = {};
    }
    throw new Error(`Too many redirects, the last to ${target.pathname}`);
  }

  return {
    open: (url, until = () => false) => visit(url, {}, until),
    submit(page, values, until = () => false) {
      if (!page.form) throw new Error(`There is no form on ${page.url.pathname}: ${page.text}`);
      const body = new URLSearchParams({ ...page.form.fields, ...values });
      return visit(page.form.action, { method: 'POST', body }, until);
    },
  };
}

function readForm(html: string, url: URL): Page['form'] {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html);
  if (!form) return null;
  const [, attributes = '', content = ''] = form;
  const fields: Record<string, string> = {};
  for (const [tag] of content.matchAll(/<(?:input|button)\b[^>]*>/gi)) {
    const name = attribute(tag, 'name');
    if (name) fields[name] = attribute(tag, 'value') ?? '';
  }
  return { action: new URL(attribute(attributes, 'action') ?? '', url), fields };
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(tag)?.[1];
  return value?.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#x2F;', '/');
}
