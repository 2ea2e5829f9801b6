import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createApiToken, systemActor } from '../../src/accounts/accounts.service.ts';
import { type App, createApp, createRoutes } from '../../src/app.ts';
import { allScopes, type Scope } from '../../src/auth/scopes.ts';
import { createGraphQLServer } from '../../src/graphql/server.ts';
import { listen } from '../../src/http/listen.ts';
import { type TestUser, useGateway } from '../harness.ts';
import { type RandomBody, randomBody } from './random-operation.ts';
import { makeWorld } from './world.ts';

// The short way and the routes have to give the same answer to every request.

const PORTAL = 'https://portal.example.com';

const gateway = useGateway({ env: { CORS_ORIGINS: PORTAL } });
let short: App['fetch'];
let routes: App['fetch'];
let owner: TestUser;
let tokens: (string | undefined)[];

beforeAll(async () => {
  short = createApp(gateway.runtime).fetch;
  const app = createRoutes(
    gateway.runtime,
    createGraphQLServer(gateway.runtime),
    new AbortController().signal,
  );
  routes = (request) => app.fetch(request, {});
  owner = (await makeWorld(gateway, 3)).user;
  const keysOnly = await gateway.user(['ssh_keys:read']);
  tokens = [owner.token, keysOnly.token, undefined];
  await keepLastUses();
});

/** The last use of a token is noted behind an answer, once a minute: between two that are compared. Not for an hour. */
async function keepLastUses(): Promise<void> {
  const lastUsedAt = new Date(Date.now() + 60 * 60 * 1_000);
  await gateway.runtime.db.apiToken.updateMany({ where: { userId: owner.id }, data: { lastUsedAt } });
}

/** A token of the owner's with some scopes, made when it is first asked for. */
const tokensByScopes = new Map<string, Promise<string>>();
function tokenWith(scopes: Scope[]): Promise<string> {
  const name = scopes.join();
  const known =
    tokensByScopes.get(name) ??
    createApiToken(gateway.runtime, systemActor(owner.id), null, { name: 'test', scopes }).then(
      async ({ token }) => {
        await keepLastUses();
        return token;
      },
    );
  tokensByScopes.set(name, known);
  return known;
}

/** What a client sees of an answer. Its length is seen over a socket, which Node and not everybody else adds. */
async function seen(response: Response) {
  const headers = Object.fromEntries(response.headers);
  delete headers['content-length'];
  return { status: response.status, headers, body: await response.text() };
}

async function compare(init: RequestInit, token: string | undefined, path = '/graphql'): Promise<string> {
  const ask = async (way: App['fetch']) => {
    const headers = new Headers(init.headers);
    headers.set('x-request-id', 'request-0');
    if (token) headers.set('authorization', `Bearer ${token}`);
    // As every client sends it that knows how long its body is.
    if (init.body != null && !headers.has('content-length'))
      headers.set('content-length', String(Buffer.byteLength(init.body as string)));
    return seen(await way(new Request(`${gateway.origin}${path}`, { method: 'POST', ...init, headers })));
  };
  const expected = await ask(routes);
  // A query is compiled at its fifth use: all of an answer's ways are seen.
  for (let use = 0; use < 6; use++) expect(await ask(short)).toEqual(expected);
  return expected.body;
}

const json = { 'content-type': 'application/json' };
const ACCEPTS = [
  undefined,
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json, application/json',
  'application/json, application/graphql-response+json',
  'application/graphql-response+json; charset=utf-8, application/json; charset=utf-8',
  'application/json, text/plain, */*',
  'application/json;q=0.5, application/graphql-response+json',
  'text/html',
  'text/event-stream',
  'nonsense',
];
const accepting = (accept: string | undefined) => (accept === undefined ? json : { ...json, accept });

describe('an answer is the same as Yoga gives it', () => {
  it('for thousands of queries, valid and invalid', { timeout: 120_000 }, async () => {
    let good = 0;
    let bad = 0;
    const accept = fc.oneof(
      { weight: 3, arbitrary: fc.constant('application/json') },
      { weight: 2, arbitrary: fc.constant('application/graphql-response+json') },
      { weight: 1, arbitrary: fc.constantFrom(...ACCEPTS) },
    );
    const withSomeScopes = fc.subarray<Scope>([...allScopes], { minLength: 1 }).map(tokenWith);
    const who = fc.oneof(
      { weight: 3, arbitrary: fc.constant(owner.token) },
      { weight: 2, arbitrary: withSomeScopes },
      { weight: 1, arbitrary: fc.constantFrom(...tokens) },
    );
    await fc.assert(
      fc.asyncProperty(randomBody, accept, who, async (body, accept, who) => {
        const answer = await compare({ headers: accepting(accept), body: JSON.stringify(body) }, await who);
        if (answer.includes('"errors"')) bad += 1;
        else good += 1;
      }),
      { numRuns: 300 },
    );
    // The generator has to hit both kinds, or the test shows little.
    expect(Math.min(good, bad)).toBeGreaterThan(30);
  });

  it('for bodies and headers that are not as they should be', async () => {
    const query = '{ viewer { id sshKeys(first: 2) { totalCount edges { node { title } } } } }';
    const bodies: BodyInit[] = [
      '',
      'null',
      '[]',
      '{',
      '"text"',
      '7',
      '{}',
      '{"query":null}',
      '{"query":7}',
      '{"query":""}',
      '{"query":" "}',
      JSON.stringify({ query, extra: 1 }),
      JSON.stringify({ query, extensions: {} }),
      JSON.stringify({ query, extensions: { persistedQuery: { version: 1 } } }),
      JSON.stringify({ query, variables: [] }),
      JSON.stringify({ query, variables: 'x' }),
      JSON.stringify({ query, variables: null }),
      JSON.stringify({ query, operationName: 7 }),
      JSON.stringify({ query, operationName: null }),
      JSON.stringify({ query, operationName: '' }),
      JSON.stringify({ query, operationName: 'None' }),
      JSON.stringify([{ query }]),
      `{"query":${JSON.stringify(query)},"__proto__":{"x":1}}`,
      `{"query":${JSON.stringify(query)},"variables":{"__proto__":{"first":1}}}`,
      `{"query":${JSON.stringify(query)},"query":"{ __typename }"}`,
      `\ufeff{"query":${JSON.stringify(query)}}`,
      Buffer.concat([
        Buffer.from('{"query":"{ viewer { id } }","operationName":"'),
        Buffer.from([0xff, 0xc0]),
        Buffer.from('"}'),
      ]),
      JSON.stringify({ query: 'mutation { deleteSshKey(input: { id: "x" }) { __typename } }' }),
      JSON.stringify({ query: '{ __schema { queryType { name } } viewer { id } }' }),
    ];
    const types = [
      'application/json',
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/json;charset=latin1',
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/graphql',
      'multipart/form-data; boundary=x',
    ];
    for (const body of bodies) await compare({ headers: json, body }, owner.token);
    for (const type of types) {
      await compare({ headers: { 'content-type': type }, body: JSON.stringify({ query }) }, owner.token);
    }
    for (const accept of ACCEPTS) {
      for (const token of tokens)
        await compare({ headers: accepting(accept), body: JSON.stringify({ query }) }, token);
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      await compare({ method }, owner.token, `/graphql?query=${encodeURIComponent(query)}`);
    }
  });

  it('for JSON that means anything', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.nat(2), async (body, who) => {
        await compare({ headers: json, body }, tokens[who]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('over a socket an answer is the same, too', () => {
  const query = JSON.stringify({ query: '{ viewer { id sshKeys(first: 2) { edges { node { title } } } } }' });
  const cookie = () => ({ cookie: `gatehouse_session=${owner.token}` });
  const bearer = () => ({ authorization: `Bearer ${owner.token}` });
  const cases: [what: string, headers: () => OutgoingHttpHeaders, body?: string][] = [
    ['with a token', bearer],
    ['with the scheme "token"', () => ({ authorization: `token  ${owner.token}` })],
    ["with a token in Coder's header", () => ({ 'coder-session-token': owner.token })],
    ['with a token that nobody has', () => ({ authorization: 'Bearer nobody' })],
    ['with two tokens', () => ({ Authorization: [`Bearer ${owner.token}`, `Bearer ${owner.token}`] })],
    ['with a cookie from a page of ours', () => ({ ...cookie(), 'sec-fetch-site': 'same-origin' })],
    ['with a cookie from a listed origin', () => ({ ...cookie(), origin: PORTAL })],
    ['with a cookie from another site', () => ({ ...cookie(), origin: 'https://evil.example' })],
    ['with a cookie from nowhere', cookie],
    ["with Coder's cookie, which is for its paths", () => ({ cookie: `coder_session_token=${owner.token}` })],
    ['from a listed origin', () => ({ ...bearer(), origin: PORTAL })],
    ['from another origin', () => ({ ...bearer(), origin: 'https://evil.example' })],
    ['with another type for an answer', () => ({ ...bearer(), accept: 'text/html' })],
    ['with no type for an answer', () => ({ ...bearer(), accept: '' })],
    ['with a host that is none', () => ({ ...bearer(), host: 'a b' })],
    ['in chunks', () => ({ ...bearer(), 'transfer-encoding': 'chunked' })],
    ['that is too large', bearer, `{"query":"${' '.repeat(1_100_000)}"}`],
    ['that is none', bearer, '{"query":'],
    ['that is empty', bearer, ''],
  ];

  it.each(cases)('to a request %s', async (_what, headers, body = query) => {
    const http = { ...gateway.runtime.config.http, host: '127.0.0.1', port: 0 };
    const [shortly, slowly] = await Promise.all([listen(http, short), listen(http, routes)]);
    try {
      const expected = await post(slowly.port, headers(), body);
      for (let use = 0; use < 6; use++) expect(await post(shortly.port, headers(), body)).toEqual(expected);
    } finally {
      await Promise.all([shortly.close(0), slowly.close(0)]);
    }
  });

  /** What is on the wire, but for the date. */
  async function post(port: number, headers: OutgoingHttpHeaders, body: string) {
    const length = headers['transfer-encoding'] ? {} : { 'content-length': Buffer.byteLength(body) };
    const asked = request({
      port,
      host: '127.0.0.1',
      path: '/graphql',
      method: 'POST',
      agent: false,
      headers: { host: 'gatehouse.test', 'x-request-id': 'request-0', ...json, ...length, ...headers },
    });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    const { date: _, ...others } = answer.headers;
    return { status: answer.statusCode, headers: others, body: await text(answer) };
  }
});

it('a compiled query gives each viewer their own answer', async () => {
  const body: RandomBody = { query: '{ viewer { id username } }' };
  const others = await Promise.all([gateway.user(), gateway.user(), gateway.user()]);
  for (let round = 0; round < 4; round++) {
    const answers = await Promise.all(others.map(({ token }) => gateway.graphql(body.query, {}, token)));
    expect(answers.map(({ data }) => data.viewer.username)).toEqual(others.map(({ username }) => username));
  }
});
