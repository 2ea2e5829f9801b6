import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, it } from 'vitest';
import { type Demo, startDemo } from '../../demo/start-demo.ts';
import { freePort, launch } from './browser.ts';

// The demo is a front end of another origin: CORS, tickets, the device flow and live updates, all in a browser.

let demo: Demo;
let browser: Browser;

beforeAll(async () => {
  [demo, browser] = await Promise.all([
    startDemo({ gateway: await freePort(), upstream: await freePort(), page: await freePort() }),
    launch(),
  ]);
}, 180_000);

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

async function openDemo(): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(demo.page);
  await page.getByText('Settings of admin').waitFor();
  return page;
}

const provider = (page: Page) => page.locator('[data-provider=demo]');
const news = (page: Page) => page.locator('#news');

async function ask(query: string): Promise<unknown> {
  const response = await fetch(`${demo.gateway}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${demo.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return response.json();
}

it('links by the web flow in a window of its own, and the page hears of it', async () => {
  const page = await openDemo();
  const popup = page.waitForEvent('popup');
  await provider(page).getByRole('button', { name: 'Link', exact: true }).click();
  const window = await popup;
  // The gateway knows the page's origin, so it asks nothing; the provider asks who it is, and whether they agree.
  await window.locator('input[name=login]').fill('grace');
  await window.locator('input[name=password]').fill('any');
  await window.locator('button[type=submit]').click();
  await window.locator('button[type=submit]').click();
  await window.waitForURL(`${demo.gateway}/**`);

  await news(page).getByText('demo linked').waitFor();
  await provider(page).getByText('linked to grace').waitFor();

  // Something else changes the link: the page shows it without being asked.
  await ask('mutation { unlinkExternalAuth(input: { providerId: "demo" }) { __typename } }');
  await news(page).getByText('demo unlinked').waitFor();
  await provider(page).getByText('not linked').waitFor();
});

it('links by a code', async () => {
  const page = await openDemo();
  await provider(page).getByRole('button', { name: 'Link with a code' }).click();
  const link = page.locator('#device a');
  await link.waitFor();
  await demo.upstream.approveDevice((await link.getAttribute('href')) ?? '', { login: 'linus' });
  await provider(page).getByText('linked to linus').waitFor({ timeout: 60_000 });
  await provider(page).getByRole('button', { name: 'Unlink' }).click();
  await provider(page).getByText('not linked').waitFor();
});

it('shows the sample keys, and says what is wrong with a new one', async () => {
  const page = await openDemo();
  await page.locator('#keys').getByText('workstation, to be renewed soon').waitFor();
  await page.getByLabel('Title').fill('broken');
  await page.getByLabel('Public key').fill('ssh-ed25519 AAAA');
  const readAgain = page.waitForResponse(
    (response) => response.request().postData()?.includes('sshKeys(first:') ?? false,
  );
  await page.getByRole('button', { name: 'Add' }).click();
  // What was wrong stays when the page has read everything again.
  await (await readAgain).finished();
  await page.getByRole('alert').filter({ hasText: /key/i }).waitFor();
});
