import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { afterAll, beforeAll, inject } from 'vitest';
import { createApiToken, createUser, systemActor } from '../src/accounts/accounts.service.ts';
import { createApp } from '../src/app.ts';
import { authenticate } from '../src/auth/authenticate.ts';
import type { Scope } from '../src/auth/scopes.ts';
import type { Viewer } from '../src/auth/viewer.ts';
import { type Config, parseConfig } from '../src/config.ts';
import { type OpenDatabase, openDatabase } from '../src/db/open.ts';
import { createProviders } from '../src/external-auth/provider-registry.ts';
import { createLog } from '../src/log.ts';
import { openNotifications } from '../src/notifications.ts';
import { type Runtime, trackBackground } from '../src/runtime.ts';
import { createKeyring } from '../src/secrets/keyring.ts';
import { onServer } from './harness-server.ts';

/** A user of a test, with a token. */
export interface TestUser {
  id: string;
  username: string;
  token: string;
}

export interface GraphQLAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  data: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  errors?: any[];
}

export interface TestGateway {
  runtime: Runtime;
  database: OpenDatabase;
  /** The address that requests are made to; nothing listens there. */
  origin: string;
  /** The SQL statements since the gateway started. Slice it to count. */
  statements: string[];
  /** Lines of the log. */
  logLines: string[];
  fetch: (path: string, init?: RequestInit & { token?: string }) => Promise<Response>;
  graphql: (
    query: string | TypedDocumentNode,
    variables?: Record<string, unknown>,
    token?: string,
  ) => Promise<GraphQLAnswer>;
  /** A new user with a token of the given scopes. @default ['admin'] */
  user: (scopes?: Scope[]) => Promise<TestUser>;
  /** Moves the gateway's clock. */
  advance: (ms: number) => void;
  /** Waits for the work that goes on after the answers. */
  settled: () => Promise<void>;
  /** Begins a shutdown. */
  stop: () => void;
}

export interface GatewayOptions {
  env?: Record<string, string>;
  fetch?: typeof globalThis.fetch;
  /** Another gateway, whose database this one shares, as a second replica does. */
  beside?: TestGateway;
}

/**
 * A gateway of the test file's own, on a database of its own: embedded, or on the server that
 * `TEST_DATABASE_URL` names. Call it at the top of a file; use what it returns within tests.
 */
export function useGateway(options: GatewayOptions = {}): TestGateway {
  const gateway = {} as TestGateway;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const started = await startGateway(options);
    Object.assign(gateway, started.gateway);
    close = started.close;
  });
  afterAll(() => close());
  return gateway;
}

export async function startGateway({
  env = {},
  fetch = globalThis.fetch,
  beside,
}: GatewayOptions = {}): Promise<{
  gateway: TestGateway;
  close: () => Promise<void>;
}> {
  const origin = 'http://gatehouse.test';
  const { databaseSettings, remove } = beside ? sharedDatabase(beside) : await makeDatabase();
  const config: Config = parseConfig({
    PUBLIC_URL: origin,
    ENCRYPTION_KEYS: Buffer.alloc(32, 7).toString('base64'),
    ...env,
    ...databaseSettings,
  });
  const statements: string[] = [];
  const logLines: string[] = [];
  const database = await openDatabase(config.database, {
    durable: false,
    share: beside !== undefined,
    onQuery: (sql) => statements.push(sql),
  });
  const log = createLog({ level: 'trace' }, { write: (line: string) => logLines.push(line) });
  const { background, settled } = trackBackground(log);
  const notifications = openNotifications(database, log);
  let offset = 0;
  const clock = () => new Date(Date.now() + offset);
  const runtime: Runtime = {
    config,
    db: database.db,
    keyring: createKeyring(config.encryptionKeys ?? []),
    notifications,
    providers: createProviders(config, { fetch, clock }),
    log,
    clock,
    fetch,
    background,
  };
  const stopping = new AbortController();
  const app = createApp(runtime, stopping.signal);

  const gateway: TestGateway = {
    runtime,
    database,
    origin,
    statements,
    logLines,
    async fetch(path, { token, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (token) headers.set('authorization', `Bearer ${token}`);
      // As every client sends it over a socket.
      if (typeof init.body === 'string' && !headers.has('content-length'))
        headers.set('content-length', String(Buffer.byteLength(init.body)));
      return app.fetch(new Request(new URL(path, origin), { redirect: 'manual', ...init, headers }));
    },
    async graphql(query, variables, token) {
      const text = typeof query === 'string' ? query : (query.loc?.source.body ?? '');
      const response = await gateway.fetch('/graphql', {
        method: 'POST',
        token,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ query: text, variables }),
      });
      return { status: response.status, ...((await response.json()) as object) } as GraphQLAnswer;
    },
    async user(scopes = ['admin']) {
      const username = `u-${randomUUID().slice(0, 13)}`;
      const { id } = await createUser(runtime, { username });
      const { token } = await createApiToken(runtime, systemActor(id), null, { name: 'test', scopes });
      return { id, username, token };
    },
    advance(ms) {
      offset += ms;
    },
    settled,
    stop: () => stopping.abort(),
  };
  return {
    gateway,
    close: async () => {
      stopping.abort();
      await settled();
      await notifications.close();
      await database.close();
      await remove();
    },
  };
}

/** The viewer that a token of a new user stands for, for those who ask without HTTP. */
export async function viewerOf({ runtime, user }: TestGateway): Promise<Viewer> {
  const { token } = await user();
  const viewer = await authenticate(runtime, token);
  if (!viewer) throw new Error('A token that was just made stands for nobody.');
  return viewer;
}

/** Belongs to the gateway that made it, which has to be closed last. */
function sharedDatabase({ runtime }: TestGateway): Awaited<ReturnType<typeof makeDatabase>> {
  const { url, dataDir } = runtime.config.database;
  return {
    databaseSettings: url ? { DATABASE_URL: url } : { DATA_DIR: dataDir },
    remove: async () => {},
  };
}

/** A migrated, empty database: a copy of the template that global-setup.ts made. */
export async function makeDatabase(): Promise<{
  databaseSettings: Record<string, string>;
  remove: () => Promise<void>;
}> {
  const template = inject('databaseTemplate');
  if (template.kind === 'embedded') {
    const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
    cpSync(template.dataDir, dataDir, { recursive: true });
    return {
      databaseSettings: { DATA_DIR: dataDir },
      remove: async () => rmSync(dataDir, { recursive: true, force: true }),
    };
  }
  const name = `gatehouse_test_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(template.url);
  await onServer(url.href, `CREATE DATABASE ${name} TEMPLATE ${template.name}`);
  url.pathname = `/${name}`;
  return {
    databaseSettings: { DATABASE_URL: url.href },
    remove: () => onServer(template.url, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}
