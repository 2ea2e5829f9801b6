import type { TestGateway, TestUser } from '../harness.ts';
import { type Browser, createBrowser } from '../upstream/browser.ts';

/** A browser that reaches a gateway of the tests, and says where its requests come from as real ones do. */
export interface FlowBrowser extends Browser {
  /** Signs in on the gateway's own page. */
  signIn: (user: TestUser) => Promise<void>;
  signOut: () => Promise<void>;
  signOutAndIn: (user: TestUser) => Promise<void>;
  /** Opens a path of the gateway; stops before it leaves for another server. */
  visit: (path: string | URL) => ReturnType<Browser['open']>;
  /** What was asked of the gateway, and what it answered, in order. */
  exchanges: { request: Request; response: Response }[];
}

/** @param headers of every request, such as a `referer` */
export function openBrowser(gateway: TestGateway, headers: Record<string, string> = {}): FlowBrowser {
  const exchanges: FlowBrowser['exchanges'] = [];
  const browser = createBrowser(async (input, init) => {
    const url = new URL(String(input));
    if (url.origin !== gateway.origin) return fetch(url, init);
    const all = new Headers({ ...headers, ...(init?.headers as object) });
    if (init?.method === 'POST') {
      all.set('origin', gateway.origin);
      all.set('sec-fetch-site', 'same-origin');
    }
    const response = await gateway.fetch(url.pathname + url.search, { ...init, headers: all });
    exchanges.push({ request: new Request(url, { ...init, headers: all }), response: response.clone() });
    return response;
  });
  const loginPage = () => browser.open(new URL('/login', gateway.origin));
  const signIn = async ({ token }: TestUser) => void (await browser.submit(await loginPage(), { token }));
  const signOut = async () => void (await browser.submit(await loginPage(), {}));
  return {
    ...browser,
    exchanges,
    signIn,
    signOut,
    // A session whose token is gone shows the same page as none.
    async signOutAndIn(user) {
      const page = await loginPage();
      if (page.form?.action.pathname === '/logout') await signOut();
      await signIn(user);
    },
    visit: (path) => browser.open(new URL(path, gateway.origin), (url) => url.origin !== gateway.origin),
  };
}
