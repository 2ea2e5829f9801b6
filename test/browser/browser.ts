import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { serve } from '@hono/node-server';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { createApp } from '../../src/app.ts';
import { startGateway, type TestGateway } from '../harness.ts';

export interface BrowserGateway {
  gateway: TestGateway;
  /** Where the gateway listens. */
  origin: string;
  /** A page of a browser that has never been here. What it asks of other places is refused and noted. */
  newPage: () => Promise<ObservedPage>;
}

interface ObservedPage {
  page: Page;
  /** Addresses elsewhere that the page asked for. */
  strayRequests: string[];
  /** What the page's scripts threw, and what the browser refused them. */
  faults: string[];
}

/** A gateway that listens, and a Chromium beside it. Call it at the top of a file. */
export function useBrowserGateway(): BrowserGateway {
  const result = {} as BrowserGateway;
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const { gateway, close } = await startGateway({ env: { PUBLIC_URL: origin } });
    closers.push(close);
    const server = serve({ fetch: createApp(gateway.runtime).fetch, port, hostname: '127.0.0.1' });
    if (!server.listening) await once(server, 'listening');
    closers.push(() => new Promise((closed) => server.close(closed)));
    const browser = await launch();
    closers.push(() => browser.close());
    Object.assign(result, { gateway, origin, newPage: () => observe(browser, origin) });
  });
  afterAll(async () => {
    // The browser first: the server waits for its connections.
    for (const close of closers.reverse()) await close();
  });
  return result;
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

async function observe(browser: Browser, origin: string): Promise<ObservedPage> {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const strayRequests: string[] = [];
  const faults: string[] = [];
  await context.route(
    (url) => url.origin !== origin,
    (route) => {
      strayRequests.push(route.request().url());
      return route.abort();
    },
  );
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  return { page, strayRequests, faults };
}

/** A port that nobody listens on: the address has to be known before the server starts. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
