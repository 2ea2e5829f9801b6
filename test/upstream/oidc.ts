import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { type Browser, createBrowser } from './browser.ts';
import { createMemoryAdapter } from './memory-adapter.ts';

/** A real OpenID Connect provider on this machine: oidc-provider, certified, in memory. */
export interface Upstream {
  /** Such as `http://127.0.0.1:43210`. Its endpoints are discovered from there. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** The environment that makes a gateway use it as provider `id`. */
  env: (n: number, id: string, more?: Record<string, string>) => Record<string, string>;
  /** The requests so far, such as `POST /token`, in order. */
  requests: string[];
  /** How many times an endpoint was asked since the start: `POST /token` by default. */
  count: (request?: string) => number;
  /** Acts as a user: signs in, grants access on the web flow. Returns the callback's address, code included. */
  grant: (authorizationUrl: URL | string, options?: { login?: string }) => Promise<URL>;
  /** As `grant`, but the user turns back at the first page. */
  deny: (authorizationUrl: URL | string) => Promise<URL>;
  /** Acts as a user: signs in and approves a device's user code. */
  approveDevice: (verificationUriComplete: string, options?: { login?: string }) => Promise<void>;
  /** As `approveDevice`, but the user turns the device down. */
  denyDevice: (verificationUriComplete: string) => Promise<void>;
  close: () => Promise<void>;
}

export interface UpstreamOptions {
  /** @default a free one */
  port?: number;
  clientId?: string;
  clientSecret?: string;
  /** Where it may send browsers back to; `*` takes every address, which is good for tests only. @default ['*'] */
  redirectUris?: string[];
  /** Of an access token. @default 3600 */
  accessTokenSeconds?: number;
}

export async function startUpstream({
  port = 0,
  clientId = 'gatehouse',
  clientSecret = 'upstream-client-secret-0123456789',
  redirectUris = ['*'],
  accessTokenSeconds = 3_600,
}: UpstreamOptions = {}): Promise<Upstream> {
  const requests: string[] = [];
  let handle: ReturnType<Provider['callback']> = () => {};
  const server = createServer((request, response) => {
    requests.push(nameOf(request));
    handle(request, response);
  });
  await listen(server, port);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: redirectUris.includes('*') ? ['http://127.0.0.1/any'] : redirectUris,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        application_type: 'web',
      },
    ],
    adapter: createMemoryAdapter(),
    jwks: { keys: [signingKey()] },
    cookies: { keys: ['an upstream for tests'] },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
    },
    pkce: { required: () => false },
    // Single-use refresh tokens, whatever the scope: what real providers do, and where links get lost.
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'picture', 'profile'] },
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({
        sub,
        name: `${sub} of the upstream`,
        preferred_username: sub,
        picture: `${issuer}/avatars/${encodeURIComponent(sub)}.png`,
        profile: `${issuer}/people/${encodeURIComponent(sub)}`,
      }),
    }),
  });
  if (redirectUris.includes('*')) {
    const { Client } = provider as unknown as { Client: { prototype: object } };
    Object.assign(Client.prototype, { redirectUriAllowed: () => true });
  }
  handle = provider.callback();

  const signIn = async (browser: Browser, start: URL, login: string, until: (url: URL) => boolean) => {
    let page = await browser.open(start, until);
    for (let step = 0; step < 5 && page.form; step++) {
      page = await browser.submit(page, { login, password: 'any' }, until);
      if (until(page.url)) break;
    }
    return page;
  };

  return {
    issuer,
    clientId,
    clientSecret,
    requests,
    count: (request = 'POST /token') => requests.filter((seen) => seen === request).length,
    env: (n, id, more = {}) =>
      Object.fromEntries(
        Object.entries({
          ID: id,
          TYPE: 'oidc',
          ISSUER: issuer,
          CLIENT_ID: clientId,
          CLIENT_SECRET: clientSecret,
          DEVICE_FLOW: 'true',
          ...more,
        }).map(([key, value]) => [`EXTERNAL_AUTH_${n}_${key}`, value]),
      ),

    async grant(authorizationUrl, { login = 'ada' } = {}) {
      const start = new URL(authorizationUrl);
      const isBack = (url: URL) => url.origin !== issuer;
      const page = await signIn(createBrowser(), start, login, isBack);
      if (!isBack(page.url)) throw new Error(`The upstream stopped at ${page.url.pathname}: ${page.text}`);
      return page.url;
    },

    async deny(authorizationUrl) {
      const browser = createBrowser();
      const isBack = (url: URL) => url.origin !== issuer;
      const page = await browser.open(new URL(authorizationUrl), isBack);
      return (await browser.open(new URL(`${page.url.pathname}/abort`, issuer), isBack)).url;
    },

    async approveDevice(verificationUriComplete, { login = 'ada' } = {}) {
      const page = await signIn(createBrowser(), new URL(verificationUriComplete), login, () => false);
      if (!/success/i.test(page.text)) throw new Error(`The user code was not approved: ${page.text}`);
    },

    async denyDevice(verificationUriComplete) {
      const browser = createBrowser();
      const page = await browser.open(new URL(verificationUriComplete));
      await browser.submit(await browser.submit(page, {}), { abort: 'yes' });
    },

    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function signingKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
}

/** Method and path; an interaction's own id is left out. */
function nameOf({ method, url = '/' }: IncomingMessage): string {
  const { pathname } = new URL(url, 'http://upstream');
  return `${method} ${pathname.replace(/^(\/interaction|\/auth|\/device)\/(?!auth$).*/, '$1')}`;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}
