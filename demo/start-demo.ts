import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newPublicKey } from '../test/new-public-key.ts';
import { startUpstream, type Upstream } from '../test/upstream/oidc.ts';

export interface Demo {
  gateway: string;
  /** The provider; it also plays its user for tests. */
  upstream: Upstream;
  /** The address of the demo's front end, with the token in its fragment, which no server sees. */
  page: string;
  token: string;
  /** Settles when the gateway ends by itself. */
  ended: Promise<unknown>;
  stop: () => Promise<void>;
}

export interface DemoPorts {
  gateway: number;
  upstream: number;
  page: number;
}

const START_TIMEOUT_MS = 60_000;

/**
 * A gateway as it is shipped, on an embedded database in a temporary folder; a real OAuth provider, which it links
 * accounts of; a page of another origin; and sample data. Everything goes when it stops.
 */
export async function startDemo(ports: DemoPorts): Promise<Demo> {
  const gateway = `http://127.0.0.1:${ports.gateway}`;
  const pageOrigin = `http://127.0.0.1:${ports.page}`;
  const token = `demo_${randomBytes(24).toString('base64url')}`;
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-demo-'));

  const upstream = await startUpstream({
    port: ports.upstream,
    redirectUris: [`${gateway}/external-auth/demo/callback`],
    // Short, so that a renewal comes up while one is looking.
    accessTokenSeconds: 120,
  });
  const page = createServer((_request, response) => {
    const html = readFileSync(new URL('./index.html', import.meta.url), 'utf8');
    response.setHeader('content-type', 'text/html; charset=utf-8').end(html.replace('__GATEWAY__', gateway));
  }).listen(ports.page, '127.0.0.1');

  const server = spawn(process.execPath, ['dist/main.js', 'serve'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      PORT: String(ports.gateway),
      DATA_DIR: dataDir,
      CORS_ORIGINS: pageOrigin,
      GATEHOUSE_BOOTSTRAP_TOKEN: token,
      LOG_LEVEL: 'warn',
      ...upstream.env(0, 'demo', { DISPLAY_NAME: 'Demo provider' }),
    },
  });
  const ended = once(server, 'exit');

  async function stop(): Promise<void> {
    if (server.exitCode === null) {
      server.kill('SIGTERM');
      await ended;
    }
    page.closeAllConnections();
    await Promise.all([upstream.close(), new Promise((closed) => page.close(closed))]);
    rmSync(dataDir, { recursive: true, force: true });
  }

  try {
    await once(page, 'listening');
    await isReady(gateway, server);
    await addSampleData(gateway, token);
  } catch (error) {
    await stop();
    throw error;
  }
  return { gateway, upstream, page: `${pageOrigin}/#token=${token}`, token, ended, stop };
}

async function isReady(gateway: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (server.exitCode === null && Date.now() < deadline) {
    const answer = await fetch(`${gateway}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error('The gateway did not start. What it said stands above.');
}

/** As any client would add it. */
async function addSampleData(gateway: string, token: string): Promise<void> {
  const days = (count: number) => new Date(Date.now() + count * 86_400_000).toISOString();
  const keys = [
    { title: 'laptop', expiresAt: null },
    { title: 'workstation, to be renewed soon', expiresAt: days(3) },
    { title: 'release signing', expiresAt: days(365), usage: 'SIGNING' },
  ];
  for (const key of keys)
    await mutate(gateway, token, 'addSshKey', { ...key, publicKey: newPublicKey('you@demo') });
  const apps = [
    {
      name: 'Portal',
      homepageUrl: 'https://portal.example',
      redirectUris: ['https://portal.example/callback'],
    },
    {
      name: 'Phone app',
      description: 'A public client: it can keep no secret.',
      homepageUrl: 'https://phone.example',
      redirectUris: ['https://phone.example/callback'],
      standalone: true,
    },
  ];
  for (const app of apps) await mutate(gateway, token, 'createOAuthApp', app);
}

async function mutate(gateway: string, token: string, field: string, input: object): Promise<void> {
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { result: ${field}(input: $input) { __typename ... on UserError { message } } }`;
  const response = await fetch(`${gateway}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { result: { message?: string } };
    errors?: { message: string }[];
  };
  const fault = errors?.[0]?.message ?? data?.result.message;
  if (fault) throw new Error(`${field} failed: ${fault}`);
}
