import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { newPublicKey } from '../new-public-key.ts';
import { useBrowserGateway } from './browser.ts';

const server = useBrowserGateway();

/**
 * Opens GraphiQL, and waits until it has read the schema: the answer to that would be taken for another's.
 *
 * @param go leads there
 */
async function openGraphiql(
  page: Page,
  go: () => Promise<unknown> = () => page.goto(`${server.origin}/graphql`),
) {
  const schemaRead = page.waitForResponse(
    (response) => response.request().method() === 'POST' && response.url() === `${server.origin}/graphql`,
  );
  await go();
  await page.locator('.graphiql-query-editor .view-lines').getByText('viewer').first().waitFor();
  expect((await schemaRead).status()).toBe(200);
}

async function write(page: Page, editor: string, text: string) {
  await page.locator(`${editor} .monaco-editor`).first().click();
  await page.keyboard.press('ControlOrMeta+a');
  // Pasted: the editor completes brackets that are typed.
  await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
  await page.keyboard.press('ControlOrMeta+v');
}

/** Runs what the editor holds, and answers what the server did. */
async function run(page: Page) {
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.getByRole('button', { name: /^Execute query/ }).click();
  return (await (await answered).json()) as {
    data: Record<string, Record<string, unknown>>;
    errors?: unknown[];
  };
}

it('shows the opening query, and what is wrong without a token', async () => {
  const { page, strayRequests, faults } = await server.newPage();
  await openGraphiql(page);
  expect(await page.title()).toBe('Gatehouse');
  await run(page);
  await page.locator('.graphiql-response').getByText('UNAUTHENTICATED').waitFor();
  expect({ strayRequests, faults }).toEqual({ strayRequests: [], faults: [] });
});

it('works with a token under Headers, and keeps it nowhere', async () => {
  const { page, strayRequests, faults } = await server.newPage();
  const { token, username } = await server.gateway.user();
  await openGraphiql(page);
  await page.getByRole('button', { name: 'Headers' }).click();
  await page.locator('.graphiql-editor-tool').getByText('<your token>').waitFor();
  await write(
    page,
    '.graphiql-editor-tool .graphiql-editor:not(.hidden)',
    `{"Authorization": "Bearer ${token}"}`,
  );
  const { data } = await run(page);
  expect(data.viewer?.username).toBe(username);
  await page.locator('.graphiql-response').getByText(username).waitFor();
  const kept = await page.evaluate('JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])');
  expect(kept).not.toContain(token);
  expect({ strayRequests, faults }).toEqual({ strayRequests: [], faults: [] });
});

it('adds an SSH key with a mutation', async () => {
  const { page, strayRequests, faults } = await server.newPage();
  const { id: userId, token } = await server.gateway.user();
  await openGraphiql(page);
  await page.getByRole('button', { name: 'Headers' }).click();
  await write(
    page,
    '.graphiql-editor-tool .graphiql-editor:not(.hidden)',
    `{"Authorization": "Bearer ${token}"}`,
  );
  await write(
    page,
    '.graphiql-query-editor',
    `mutation Add { addSshKey(input: {title: "laptop", publicKey: "${newPublicKey()}"}) {
      ... on AddSshKeyPayload { sshKey { title state } }
      ... on UserError { message }
    } }`,
  );
  // The editor has taken in what was pasted once the tab has its name.
  await page.getByRole('tab', { name: 'Add' }).waitFor();
  const { data } = await run(page);
  expect(data).toEqual({ addSshKey: { sshKey: { title: 'laptop', state: 'ACTIVE' } } });
  await page.locator('.graphiql-response').getByText('ACTIVE').waitFor();
  expect(await server.gateway.runtime.db.sshKey.count({ where: { userId } })).toBe(1);
  expect({ strayRequests, faults }).toEqual({ strayRequests: [], faults: [] });
});

it('acts for whoever signed in at /login, until they sign out', async () => {
  const { page, strayRequests, faults } = await server.newPage();
  const { token, username } = await server.gateway.user();
  await page.goto(`${server.origin}/login?next=/graphql`);
  await page.getByLabel('API token').fill(token);
  await openGraphiql(page, async () => {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/graphql');
  });
  const { data } = await run(page);
  expect(data.viewer?.username).toBe(username);
  // Scripts of the page cannot read the cookie.
  expect(await page.evaluate('document.cookie')).toBe('');

  await page.goto(`${server.origin}/`);
  await page.getByText(`Signed in as ${username}`).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/login');
  const asked = await page.request.post(`${server.origin}/graphql`, { data: { query: '{ viewer { id } }' } });
  expect(asked.status()).toBe(401);
  expect({ strayRequests, faults }).toEqual({ strayRequests: [], faults: [] });
});
