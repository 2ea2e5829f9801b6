import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { keyIdOf } from '../../src/secrets/keyring.ts';
import { graphql, run, serve, useDataDir } from './server.ts';

// The procedure of docs/keys.md, with the real program beside a running gateway.

vi.setConfig({ testTimeout: 180_000 });

const dataDir = useDataDir();

const TOKEN = 'the-bootstrap-token-of-this-test-0123456789';
const APPS = '{ viewer { oauthApps(first: 50) { edges { node { clientSecret } } } } }';
const CREATE = `mutation ($name: String!) {
  createOAuthApp(input: { name: $name, homepageUrl: "https://app.example", redirectUris: ["https://app.example/cb"] }) {
    ... on CreateOAuthAppPayload { clientSecret } } }`;

/** The client secrets of all apps, as the gateway reads them. */
async function secrets(origin: string): Promise<string[]> {
  const { data, errors } = await graphql(origin, TOKEN, APPS);
  expect(errors).toBeUndefined();
  const edges: { node: { clientSecret: string } }[] = data.viewer.oauthApps.edges;
  return edges.map(({ node }) => node.clientSecret).sort();
}

it('a key is replaced on the embedded database, beside a gateway that goes on serving', async () => {
  const env = { DATA_DIR: dataDir.path, GATEHOUSE_BOOTSTRAP_TOKEN: TOKEN };
  const file = join(dataDir.path, 'encryption.key');
  const first = await serve(env);
  const issued: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    const { data } = await graphql(first.origin, TOKEN, CREATE, { name });
    issued.push(data.createOAuthApp.clientSecret);
  }
  issued.sort();

  const [former, next] = [Buffer.from(readFileSync(file, 'utf8'), 'base64'), randomBytes(32)];
  const [formerId, nextId] = [keyIdOf(former), keyIdOf(next)];

  // The new key first, and a gateway that knows it.
  await first.stop('SIGTERM');
  writeFileSync(file, `${next.toString('base64')}\n${former.toString('base64')}\n`);
  const second = await serve(env);
  expect((await run(['keys', 'status'], env)).out).toContain(
    `${nextId}  encrypts  0\n${formerId}  decrypts  3\n\nThe key ${formerId} may not go yet: run "gatehouse keys rotate".\n`,
  );

  const dry = await run(['keys', 'rotate', '--dry-run', '--json'], env);
  expect(JSON.parse(dry.out)).toEqual({
    dryRun: true,
    keyId: nextId,
    total: 3,
    done: 3,
    unreadable: [],
    left: 0,
  });
  expect(await run(['keys', 'rotate'], env)).toEqual({
    code: 0,
    out: `3 of 3 secrets were encrypted with the key ${nextId}.\n`,
    err: '0 of 3 secrets\n3 of 3 secrets\n',
  });
  expect(JSON.parse((await run(['keys', 'status', '--json'], env)).out)).toEqual({
    keys: [
      {
        keyId: nextId,
        role: 'primary',
        secrets: 3,
        byColumn: { 'oauth_app_secrets.secret': 3 },
        mayGo: false,
      },
      { keyId: formerId, role: 'secondary', secrets: 0, byColumn: {}, mayGo: true },
    ],
  });
  expect(await secrets(second.origin)).toEqual(issued);

  // The former key goes, and nothing misses it.
  await second.stop('SIGTERM');
  writeFileSync(file, `${next.toString('base64')}\n`);
  const third = await serve(env);
  expect(await secrets(third.origin)).toEqual(issued);
  await third.stop('SIGTERM');
});

it('a key that went too early is named, with exit code 1', async () => {
  const env = { DATA_DIR: dataDir.path, GATEHOUSE_BOOTSTRAP_TOKEN: TOKEN };
  const file = join(dataDir.path, 'encryption.key');
  const first = await serve(env);
  await graphql(first.origin, TOKEN, CREATE, { name: 'one' });
  await first.stop('SIGTERM');
  const former = readFileSync(file, 'utf8');
  const formerId = keyIdOf(Buffer.from(former, 'base64'));
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`);

  const status = await run(['keys', 'status'], env);
  expect(status.code).toBe(1);
  expect(status.out).toContain(
    `The key ${formerId} is not set, and 1 secret needs it: put it back into ${file}.\n`,
  );
  const rotation = await run(['keys', 'rotate'], env);
  expect(rotation.code).toBe(1);
  expect(rotation.out).toMatch(
    new RegExp(
      `^0 of 1 secret was encrypted with the key \\w{8}\\.\n1 cannot be read, and stays as it is:\n {2}oauth_app_secrets.secret of row \\S+: its key ${formerId} is not among ENCRYPTION_KEYS\n$`,
    ),
  );
});
