import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useGateway } from '../harness.ts';

const gateway = useGateway();
let server: ReturnType<typeof serve>;
let origin: string;
let browser: Browser;

beforeAll(async () => {
  const fetch = (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    return gateway.fetch(pathname + search, { method, headers });
  };
  await new Promise<void>((listening) => {
    server = serve({ fetch, hostname: '127.0.0.1', port: 0 }, () => listening());
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
});

afterAll(async () => {
  await browser?.close();
  server?.close();
});

it('/docs shows every operation and runs one, with nothing from elsewhere and nothing against its policy', async () => {
  const { token, username } = await gateway.user();
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  const foreign: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) foreign.push(url);
  });

  await page.goto(`${origin}/docs`);
  const me = page.locator('.opblock', { hasText: '/user/me' });
  await me.waitFor();
  expect(await page.locator('.opblock').count()).toBeGreaterThanOrEqual(12);

  await page.locator('.btn.authorize').first().click();
  await page.locator('#auth-bearer-value').fill(token);
  await page.locator('.modal-ux .btn.authorize').first().click();
  await page.locator('.modal-ux .btn-done').first().click();
  await me.locator('.opblock-summary-control').click();
  await me.getByRole('button', { name: 'Try it out' }).click();
  await me.getByRole('button', { name: 'Execute' }).click();
  await me.locator('.live-responses-table').getByText(username).first().waitFor();

  expect(complaints).toEqual([]);
  expect(foreign).toEqual([]);
});
