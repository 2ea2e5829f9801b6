import { randomBytes } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bootstrap } from '../../src/accounts/bootstrap.ts';
import { deliverRevocations } from '../../src/external-auth/revocation-outbox.ts';
import { dumpDatabase } from '../database-dump.ts';
import { openBrowser } from '../external-auth/flow-browser.ts';
import { stubEnv } from '../external-auth/link-account.ts';
import { startGateway, type TestGateway, type TestUser } from '../harness.ts';
import { json, startStub, text } from '../upstream/stub.ts';
import { canary, createScan, type Finding, filesOf } from './canaries.ts';

// Secrets pass through a gateway in every way there is. Afterwards they are looked for where they must not be.

const stub = await startStub();
afterAll(() => stub.close());

/** A body and those headers of an answer that are not there to carry a secret. */
interface Answer {
  place: string;
  body: string;
}

/** Every file that the database writes: tables, indexes, write-ahead log. Null when this user may not read them. */
async function databaseFolders({ database, runtime: { db, config } }: TestGateway): Promise<string[] | null> {
  // What is in memory only would be missed.
  await db.$executeRaw`CHECKPOINT`;
  if (database.kind === 'embedded') return [config.database.dataDir];
  const [row] = await db.$queryRaw<{ folder: string; oid: string }[]>`
    SELECT current_setting('data_directory') AS folder, oid::text FROM pg_database WHERE datname = current_database()`;
  const folders = [`base/${row?.oid}`, 'pg_wal'].map((name) => join(row?.folder ?? '', name));
  try {
    for (const folder of folders) accessSync(folder, constants.R_OK);
    return folders;
  } catch {
    return null;
  }
}

/** Looks through everything that a gateway has left behind. */
async function search(
  gateway: TestGateway,
  answers: Answer[],
  observed: Record<string, string> = {},
): Promise<Finding[]> {
  const scan = createScan(observed);
  const findings: Finding[] = [];
  for (const [table, rows] of Object.entries(await dumpDatabase(gateway))) {
    findings.push(...scan(`the table ${table}`, rows.join('\n')));
  }
  for (const folder of (await databaseFolders(gateway)) ?? []) {
    for (const { path, content } of filesOf(folder)) {
      const isLog = path.includes('/pg_wal/');
      findings.push(...scan(isLog ? 'the write-ahead log' : `the file ${path}`, content));
    }
  }
  findings.push(...scan('the log', gateway.logLines.join('\n')));
  for (const { place, body } of answers) findings.push(...scan(`the answer to ${place}`, body));
  for (const [place, content] of processes()) findings.push(...scan(place, content));
  return findings;
}

/** The command lines of this process and its children, and the environments of the children. */
function processes(): [place: string, content: Buffer][] {
  if (process.platform !== 'linux') return [];
  const isMine = (pid: string) => {
    const [, parent] = /^\d+ \(.*\) . (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return Number(parent) === process.pid;
  };
  const found: [string, Buffer][] = [['the command line', readFileSync('/proc/self/cmdline')]];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!isMine(pid)) continue;
      found.push([`the command line of ${pid}`, readFileSync(`/proc/${pid}/cmdline`)]);
      found.push([`the environment of ${pid}`, readFileSync(`/proc/${pid}/environ`)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** A gateway whose every answer is kept, but for those that are there to carry a secret. */
async function startWatched() {
  const keys = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));
  const secrets = { client: canary('client-secret'), bootstrap: canary('bootstrap-token') };
  const { gateway, close } = await startGateway({
    env: {
      ...stubEnv(0, 'forge', stub.origin, {
        CLIENT_SECRET: secrets.client,
        EXTRA_TOKEN_KEYS: 'team',
        DEVICE_FLOW: 'true',
        DEVICE_CODE_URL: `${stub.origin}/forge/device`,
      }),
      ENCRYPTION_KEYS: keys.join(','),
      GATEHOUSE_BOOTSTRAP_TOKEN: secrets.bootstrap,
      EXTERNAL_AUTH_VALIDATE_CACHE_SECONDS: '0',
    },
  });
  const answers: Answer[] = [];
  const observed: Record<string, string> = {};
  keys.forEach((key, n) => {
    observed[`encryption key ${n}`] = key.replace(/=+$/, '');
  });

  const ask = async (path: string, init: Parameters<TestGateway['fetch']>[1] = {}) => {
    const response = await gateway.fetch(path, init);
    const body = await response.text();
    const headers = [...response.headers].filter(([name]) => name !== 'location' && name !== 'set-cookie');
    return { status: response.status, body, all: `${JSON.stringify(headers)}\n${body}` };
  };
  const post = (token: string | undefined, query: string, variables: object) =>
    ask('/graphql', {
      method: 'POST',
      token,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });

  return {
    gateway,
    close,
    answers,
    observed,
    secrets,
    /** An answer in which no secret may be. */
    async ask(path: string, init?: Parameters<TestGateway['fetch']>[1]) {
      const { status, all } = await ask(path, init);
      answers.push({ place: path.replace(/\?.*/, ''), body: all });
      return status;
    },
    /** An operation in whose answer no secret may be. */
    async run(token: string | undefined, query: string, variables: object = {}) {
      const { all, body } = await post(token, query, variables);
      answers.push({ place: query.slice(0, 80), body: all });
      return JSON.parse(body);
    },
    /** An operation whose answer is there to carry a secret. */
    async tell(token: string, query: string, variables: object = {}) {
      const { data, errors } = JSON.parse((await post(token, query, variables)).body);
      expect(errors).toBeUndefined();
      return data;
    },
  };
}

type Watched = Awaited<ReturnType<typeof startWatched>>;

const LINK = `{ viewer { externalAuthLinks { uuid authenticated validation validateError refreshFailureReason
  account { login name } installations { id } provider { displayName type scopes } } } }`;
const REFRESH = `mutation { refreshExternalAuthLink(input: { providerId: "forge" }) { __typename
  ... on RefreshExternalAuthLinkPayload { link { expiresAt refreshFailureReason } } ... on UserError { code message } } }`;
const UNLINK = `mutation { unlinkExternalAuth(input: { providerId: "forge" }) { __typename
  ... on UnlinkExternalAuthPayload { tokenRevoked tokenRevocationError } ... on UserError { code message } } }`;
const EXCHANGE = `mutation ($deviceCode: String) {
  exchangeExternalAuthDevice(input: { providerId: "forge", deviceCode: $deviceCode }) { __typename
  ... on UserError { code message } ... on ExternalAuthDeviceRefused { oauthError } } }`;

/** What a provider answers in the good case: everything in it that could be a secret is one. */
const tokens = () =>
  json({
    access_token: canary('access'),
    refresh_token: canary('refresh'),
    id_token: canary('id-token'),
    unasked: canary('unasked-field'),
    team: canary('extra'),
    expires_in: 3_600,
  });

/** An error of a provider that repeats all that it was sent. */
const echo = (status: number, error = 'invalid_grant') =>
  ((response, request) => {
    const sent = [...Object.values(request.form), request.headers.authorization ?? ''].join(' ');
    // Later than anybody is willing to wait.
    const headers: Record<string, string> = status >= 429 ? { 'retry-after': '3600' } : {};
    json({ error, error_description: `You sent ${sent}` }, status, headers)(response, request);
  }) satisfies Parameters<typeof stub.on>[1];

const page = (status: number) => text(`<html>${canary('page')}</html>`, status);

async function linkInBrowser({ gateway, tell, answers, observed }: Watched, user: TestUser): Promise<void> {
  const { startExternalAuth } = await tell(
    user.token,
    `mutation { startExternalAuth(input: { providerId: "forge" }) { ... on StartExternalAuthPayload { url } } }`,
  );
  const start = new URL(startExternalAuth.url);
  const browser = openBrowser(gateway);
  await browser.signIn(user);
  const leaving = await browser.visit(start);
  const state = leaving.url.searchParams.get('state') ?? '';
  const callback = new URL(leaving.url.searchParams.get('redirect_uri') ?? '');
  callback.search = new URLSearchParams({ state, code: canary('code') }).toString();
  await browser.visit(callback);
  // A second time, as a browser does that goes back.
  await browser.visit(callback);
  await browser.signOut();

  Object.assign(observed, {
    ticket: start.searchParams.get('ticket'),
    state,
    'code verifier': stub.requests.findLast(({ form }) => form.code_verifier)?.form.code_verifier,
  });
  for (const { request, response } of browser.exchanges) {
    const place = `${request.method} ${new URL(request.url).pathname}`;
    answers.push({ place, body: await response.text() });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value.length >= 16) observed[`the cookie ${name}`] = value;
    }
  }
}

async function linkByDevice({ gateway, tell, run }: Watched, user: TestUser): Promise<void> {
  stub.on(
    'POST /forge/device',
    json({
      device_code: canary('device-code'),
      user_code: 'ABCD-EFGH',
      verification_uri: `${stub.origin}/device`,
      interval: 1,
      expires_in: 600,
    }),
  );
  const { startExternalAuthDevice } = await tell(
    user.token,
    `mutation { startExternalAuthDevice(input: { providerId: "forge" }) {
      ... on StartExternalAuthDevicePayload { device { deviceCode } } } }`,
  );
  const { deviceCode } = startExternalAuthDevice.device;
  for (const behaviour of [echo(400, 'authorization_pending'), page(500), echo(400, 'slow_down'), tokens()]) {
    stub.on('POST /forge/token', behaviour);
    gateway.advance(20_000);
    await run(user.token, EXCHANGE, { deviceCode });
  }
  await run(user.token, EXCHANGE, { deviceCode: canary('device-code-of-nobody') });
}

async function useLink(watched: Watched, user: TestUser): Promise<void> {
  const { gateway, run, ask, tell } = watched;
  const { externalAuthToken } = await tell(
    user.token,
    '{ externalAuthToken(id: "forge") { credentials { accessToken extra } } }',
  );
  expect(externalAuthToken.credentials).toMatchObject({ accessToken: expect.stringMatching(/-access-/) });
  expect(JSON.stringify(externalAuthToken.credentials.extra)).toMatch(/-extra-/);

  // A provider that repeats the token in its answers, or sends secrets of others.
  const repeat: Parameters<typeof stub.on>[1] = (response, request) =>
    text(`no: ${request.headers.authorization}`, 500, 'text/plain')(response, request);
  for (const behaviour of [repeat, json({ error: 'bad' }, 401), json({ login: 'ada' })]) {
    stub.on('GET /forge/validate', behaviour);
    stub.on('GET /forge/userinfo', behaviour);
    await run(user.token, LINK);
    await ask('/api/v2/external-auth', { token: user.token });
    await ask('/api/v2/external-auth/forge', { token: user.token });
  }

  // Renewals: refused for now with secrets in the answer, then done, then refused for good.
  for (const behaviour of [echo(503, 'temporarily_unavailable'), echo(429), tokens(), echo(400)]) {
    stub.on('POST /forge/token', behaviour);
    gateway.advance(4_000_000);
    await run(user.token, REFRESH);
    await run(user.token, LINK);
  }
}

async function unlink({ gateway, run }: Watched, user: TestUser): Promise<void> {
  stub.on('POST /forge/revoke', echo(503, 'server_error'));
  await run(user.token, UNLINK);
  stub.on('POST /forge/revoke', echo(400, 'unsupported_token_type'));
  gateway.advance(86_400_000);
  await deliverRevocations(gateway.runtime);
}

async function keepApps({ run, tell, observed }: Watched, user: TestUser): Promise<void> {
  const { createOAuthApp } = await tell(
    user.token,
    `mutation { createOAuthApp(input: { name: "app", homepageUrl: "https://app.example",
      redirectUris: ["https://app.example/cb"] }) { ... on CreateOAuthAppPayload { clientSecret oauthApp { id } } } }`,
  );
  const { id } = createOAuthApp.oauthApp;
  observed['client secret'] = createOAuthApp.clientSecret;
  const { rotateOAuthAppSecret } = await tell(
    user.token,
    `mutation ($id: ID!) { rotateOAuthAppSecret(input: { id: $id }) { ... on RotateOAuthAppSecretPayload { clientSecret } } }`,
    { id },
  );
  observed['rotated client secret'] = rotateOAuthAppSecret.clientSecret;
  await run(user.token, '{ viewer { oauthApps { edges { node { name clientId secrets { prefix } } } } } }');
  const { createApiToken } = await tell(
    user.token,
    `mutation { createApiToken(input: { name: "t", scopes: [USER_READ] }) { ... on CreateApiTokenPayload { token } } }`,
  );
  observed['API token'] = createApiToken.token;
  await run(user.token, '{ viewer { apiTokens { edges { node { name prefix scopes } } } } }');
}

async function knockWithWrongSecrets({ ask, run }: Watched): Promise<void> {
  const wrong = () => canary('wrong-token');
  for (const headers of [
    { authorization: `Bearer ${wrong()}` },
    { authorization: `token ${wrong()}` },
    { authorization: `Basic ${Buffer.from(`ada:${wrong()}`).toString('base64')}` },
    { 'coder-session-token': wrong() },
    { cookie: `coder_session_token=${wrong()}; other=${wrong()}` },
  ] as Record<string, string>[]) {
    for (const path of ['/api/v2/external-auth', '/user/settings/oauth/', '/user/me', '/login', '/nowhere']) {
      await ask(path, { headers });
    }
    await ask('/graphql', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ viewer { username } }' }),
    });
  }
  await ask(`/api/v2/external-auth?coder_session_token=${wrong()}&token=${wrong()}`);
  await ask(`/graphql?query={viewer{username}}&token=${wrong()}`);
  await ask(`/external-auth/forge/callback?code=${wrong()}&state=${wrong()}&error_description=${wrong()}`);
  await ask('/login', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://gatehouse.test' },
    body: new URLSearchParams({ token: wrong() }).toString(),
  });
  // Bodies that nobody understands.
  for (const body of [
    `{"token": "${wrong()}`,
    wrong(),
    JSON.stringify({ query: `{ ${wrong()} }`, extra: wrong() }),
  ]) {
    for (const path of ['/user/settings/add-ssh-key', '/api/v2/external-auth/forge/device']) {
      await ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    }
  }
  await run(undefined, EXCHANGE, { deviceCode: wrong() });
}

describe('secrets that pass through a gateway', () => {
  it('are nowhere to be found afterwards', async () => {
    const watched = await startWatched();
    const { gateway, answers, observed, secrets } = watched;
    try {
      const first = await bootstrap(gateway.runtime);
      expect(first?.token).toBe(secrets.bootstrap);
      const user = await gateway.user();
      observed["the user's token"] = user.token;
      stub.on('GET /forge/validate', json({ login: 'ada' }));
      stub.on('GET /forge/userinfo', json({ sub: '1', name: 'Ada' }));

      for (const link of [linkInBrowser, linkByDevice]) {
        stub.on('POST /forge/token', tokens());
        await link(watched, user);
        const links = await gateway.runtime.db.externalAuthLink.count({ where: { userId: user.id } });
        expect(links, link.name).toBe(1);
        await useLink(watched, user);
        await unlink(watched, user);
      }
      // This one stays, so that there are rows to look through.
      stub.on('POST /forge/token', tokens());
      await linkInBrowser(watched, user);
      await keepApps(watched, user);
      await knockWithWrongSecrets(watched);

      // It did happen: the provider was sent each kind of secret.
      const sent = JSON.stringify(stub.requests.map(({ form, headers }) => [form, headers]));
      for (const kind of ['client-secret', 'code', 'device-code', 'access', 'refresh']) {
        expect(sent).toMatch(new RegExp(`kanarienvogel\\w+-${kind}-`));
      }
      expect(answers.length).toBeGreaterThan(60);
      expect(gateway.logLines.length).toBeGreaterThan(60);
      expect(Object.values(observed).every((secret) => secret?.length >= 16)).toBe(true);
      expect(await search(gateway, answers, observed)).toEqual([]);
    } finally {
      await watched.close();
    }
  }, 120_000);

  // Without this, a search that looks in the wrong places would be content.
  it('would be found wherever they were', async () => {
    const { gateway, close } = await startGateway();
    try {
      const user = await gateway.user();
      // No canary: on a server, the databases of both tests share the write-ahead log.
      const planted = `planted-${randomBytes(16).toString('hex')}`;
      const plant = (details: object) =>
        gateway.runtime.db.auditEvent.create({
          data: {
            userId: user.id,
            action: 'user.create',
            targetType: 'user',
            targetId: user.id,
            details,
          },
        });
      await plant({ planted });
      gateway.runtime.log.trace({ where: planted }, 'planted');
      const answers = [{ place: 'a request', body: `{"x":"${planted}"}` }];
      const findings = await search(gateway, answers, { planted });
      const places = new Set(findings.map(({ place }) => place.replace(/^the file .*/, 'a file')));
      const files = (await databaseFolders(gateway)) ? ['the write-ahead log', 'a file'] : [];
      expect([...places].sort()).toEqual(
        ['the table audit_events', 'the log', 'the answer to a request', ...files].sort(),
      );

      // Also when the row is gone again.
      if (files.length > 0) {
        const gone = `gone-${randomBytes(16).toString('hex')}`;
        const { id } = await plant({ gone });
        await gateway.runtime.db.auditEvent.delete({ where: { id } });
        expect(await search(gateway, [], { gone })).toContainEqual(
          expect.objectContaining({ secret: 'gone', place: 'the write-ahead log' }),
        );
      }
    } finally {
      await close();
    }
  });

  type Encode = (secret: string) => Buffer;
  const inBase64 = (['base64', 'base64url'] as const).flatMap((form) =>
    // What stands before a secret decides how it looks in base64.
    ['', '?', '??'].map((before): [string, Encode] => [
      form,
      (secret) => Buffer.from(Buffer.from(`${before}${secret}>>`).toString(form)),
    ]),
  );
  it.each<[string, Encode]>([
    ['plain text', (secret) => Buffer.from(secret)],
    ['hexadecimal', (secret) => Buffer.from(Buffer.from(secret).toString('hex'))],
    ['hexadecimal', (secret) => Buffer.from(Buffer.from(secret).toString('hex').toUpperCase())],
    ['UTF-16', (secret) => Buffer.from(secret, 'utf16le')],
    ...inBase64,
  ])('would be found as %s', (form, encode) => {
    const secrets = { own: 'ein Geheimnis ÿ?>~ÿ?>~', other: 'another one that is not there' };
    const found = createScan(secrets)(
      'here',
      Buffer.concat([Buffer.from('before '), encode(secrets.own), Buffer.alloc(9)]),
    );
    expect(found).toContainEqual({ secret: 'own', form, place: 'here' });
    expect(found.map(({ secret }) => secret)).not.toContain('other');
    expect(createScan()('here', encode(canary('any')))).not.toEqual([]);
  });

  // Arguments and environments can be read by others on the machine. A worker has those of its primary, which
  // test/e2e/workers.test.ts looks at; what it is told besides comes through a pipe.
  it('are given to no other program: the gateway starts none but itself', () => {
    const sources = [...filesOf(resolve('src'))].filter(({ path }) => !path.includes('/generated/'));
    expect(sources.length).toBeGreaterThan(80);
    const starting = (what: RegExp) =>
      sources.filter(({ content }) => what.test(content.toString())).map(({ path }) => basename(path));
    expect(starting(/child_process|execa/)).toEqual([]);
    expect(starting(/cluster\.(?:fork|setupPrimary|settings)/)).toEqual(['workers.ts']);
    const [{ content = '' } = {}] = sources.filter(({ path }) => path.endsWith('/workers.ts'));
    const calls = content.toString().match(/cluster\.(?:fork|setupPrimary|settings)\b.*/g);
    expect(calls).toEqual(["cluster.setupPrimary({ serialization: 'advanced' });", 'cluster.fork();']);
  });
});
