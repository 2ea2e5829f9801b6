import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { authenticate } from '../../src/auth/authenticate.ts';
import { allScopes, type Scope } from '../../src/auth/scopes.ts';
import { createDocumentCache } from '../../src/graphql/document-cache.ts';
import type { GraphQLFetch } from '../../src/graphql/json-post.ts';
import { createGraphQLServer } from '../../src/graphql/server.ts';
import { createYogaServer, type RequestContext } from '../../src/graphql/yoga.ts';
import { useGateway } from '../harness.ts';
import { type RandomBody, randomBody } from './random-operation.ts';
import { makeWorld } from './world.ts';

// The short way and Yoga's own have to give the same answer to every request.

const gateway = useGateway();
let short: GraphQLFetch;
let yoga: GraphQLFetch;
let viewers: RequestContext[];

beforeAll(async () => {
  short = createGraphQLServer(gateway.runtime).fetch;
  const reference = createYogaServer(gateway.runtime, createDocumentCache(0), () => {});
  yoga = async (request, as) => reference.fetch(request, as);
  const { user: owner } = await makeWorld(gateway, 3);
  const keysOnly = await gateway.user(['ssh_keys:read']);
  const asViewer = async (token: string) => ({
    viewer: await authenticate(gateway.runtime, token),
    requestId: 'request-0',
  });
  viewers = [
    await asViewer(owner.token),
    await asViewer(keysOnly.token),
    { viewer: null, requestId: 'request-0' },
  ];
});

const HEADERS = ['content-type', 'www-authenticate', 'retry-after', 'allow', 'accept'];

/** What a client sees of an answer. */
async function seen(response: Response) {
  const headers = Object.fromEntries(HEADERS.map((name) => [name, response.headers.get(name)]));
  return { status: response.status, headers, body: await response.text() };
}

async function compare(init: RequestInit, as: RequestContext, path = '/graphql'): Promise<string> {
  const ask = async (way: GraphQLFetch) =>
    seen(await way(new Request(`${gateway.origin}${path}`, { method: 'POST', ...init }), as));
  const expected = await ask(yoga);
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
    const asOwner = viewers[0] as RequestContext;
    const withSomeScopes = fc.subarray<Scope>([...allScopes]).map(
      (scopes): RequestContext => ({
        ...asOwner,
        viewer: asOwner.viewer && { ...asOwner.viewer, scopes: new Set(scopes) },
      }),
    );
    const who = fc.oneof(
      { weight: 3, arbitrary: fc.constant(asOwner) },
      { weight: 2, arbitrary: withSomeScopes },
      { weight: 1, arbitrary: fc.constantFrom(...viewers) },
    );
    await fc.assert(
      fc.asyncProperty(randomBody, accept, who, async (body, accept, as) => {
        const answer = await compare({ headers: accepting(accept), body: JSON.stringify(body) }, as);
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
    for (const body of bodies) await compare({ headers: json, body }, viewers[0] as RequestContext);
    for (const type of types) {
      await compare(
        { headers: { 'content-type': type }, body: JSON.stringify({ query }) },
        viewers[0] as RequestContext,
      );
    }
    for (const accept of ACCEPTS) {
      for (const as of viewers)
        await compare({ headers: accepting(accept), body: JSON.stringify({ query }) }, as);
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      await compare({ method }, viewers[0] as RequestContext, `/graphql?query=${encodeURIComponent(query)}`);
    }
  });

  it('for JSON that means anything', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.nat(2), async (body, who) => {
        await compare({ headers: json, body }, viewers[who] as RequestContext);
      }),
      { numRuns: 100 },
    );
  });
});

it('a compiled query gives each viewer their own answer', async () => {
  const body: RandomBody = { query: '{ viewer { id username } }' };
  const others = await Promise.all([gateway.user(), gateway.user(), gateway.user()]);
  for (let round = 0; round < 4; round++) {
    const answers = await Promise.all(others.map(({ token }) => gateway.graphql(body.query, {}, token)));
    expect(answers.map(({ data }) => data.viewer.username)).toEqual(others.map(({ username }) => username));
  }
});
