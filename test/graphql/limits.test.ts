import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { getIntrospectionQuery } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createPrismaClient } from '../../src/db/client.ts';
import { createGraphQLServer } from '../../src/graphql/server.ts';
import { type GraphQLAnswer, useGateway, viewerOf } from '../harness.ts';

const gateway = useGateway();
const strict = useGateway({ env: { MAX_QUERY_COST: '100' } });

const nested = (depth: number) => `${'{ a '.repeat(depth)}${'}'.repeat(depth)}`;
/** A chain of fragments, each of which spreads the next one `width` times. */
const bomb = (length: number, width: number) =>
  `{ ...F0 } ${Array.from(
    { length },
    (_, i) => `fragment F${i} on Query { ${i + 1 < length ? `...F${i + 1} `.repeat(width) : '__typename'} }`,
  ).join(' ')}`;

describe('a document beyond a limit is refused before it is validated', () => {
  it.each([
    ['depth', nested(13), 12, 13, 'The query is nested too deeply, in levels: 13, and the limit is 12.'],
    ['depth', `{ ...A } fragment A on Query ${nested(20)}`, 12, 20, undefined],
    ['depth', `{ ... on Query ${nested(20)} }`, 12, 20, undefined],
    [
      'aliases',
      `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
      30,
      31,
      'The query has too many aliases: 31, and the limit is 30.',
    ],
    [
      'aliases',
      `{ ...A ...A ...A } fragment A on Query { ${Array.from({ length: 11 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
      30,
      33,
      undefined,
    ],
    [
      'duplicates',
      `{ ${'__typename '.repeat(22)} }`,
      20,
      21,
      'The query selects the same field over and over: 21, and the limit is 20.',
    ],
    [
      'directives',
      `{ __typename ${'@include(if: true) '.repeat(51)} }`,
      50,
      51,
      'The query has too many directives: 51, and the limit is 50.',
    ],
    [
      'fields',
      bomb(12, 2),
      2_000,
      2_048,
      'The query selects too many fields, with its fragments in place: 2048, and the limit is 2000.',
    ],
    ['fields', bomb(60, 8), 2_000, Number.MAX_SAFE_INTEGER, undefined],
  ])('%s', async (limit, query, max, found, message) => {
    const { errors, data } = await gateway.graphql(query);
    expect(data).toBeUndefined();
    expect(errors?.map(({ extensions }) => extensions)).toContainEqual({
      code: 'LIMIT_EXCEEDED',
      limit,
      max,
      found,
    });
    if (message) expect(errors?.[0].message).toBe(message);
  });

  it('tokens', async () => {
    const { errors } = await gateway.graphql(`{ ${'x '.repeat(2_000)} }`);
    expect(errors).toEqual([
      {
        message: 'The query is too long: more than 2000 tokens, and the limit is 2000.',
        extensions: { code: 'LIMIT_EXCEEDED', limit: 'tokens', max: 2000 },
      },
    ]);
  });

  it('answers 400 to clients that accept the answers of GraphQL over HTTP', async () => {
    const response = await gateway.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query: nested(13) }),
    });
    expect(response.status).toBe(400);
  });

  it('is refused again when it comes again', async () => {
    const query = nested(14);
    const first = await gateway.graphql(query);
    expect(await gateway.graphql(query)).toEqual(first);
  });
});

describe('what is within the limits', () => {
  it('is a standard introspection query', async () => {
    const query = getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    });
    const { data, errors } = await gateway.graphql(query);
    expect(errors).toBeUndefined();
    expect(data.__schema.types.length).toBeGreaterThan(20);
  });

  it('is a fragment that is spread in several places', async () => {
    const { token, username } = await gateway.user();
    const { data, errors } = await gateway.graphql(
      '{ viewer { ...U } again: viewer { ...U } } fragment U on User { username }',
      {},
      token,
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ viewer: { username }, again: { username } });
  });

  it('is not a cycle of fragments, which validation refuses', async () => {
    const { errors } = await gateway.graphql(
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
    );
    expect(errors?.[0]).toMatchObject({
      message: 'Cannot spread fragment "A" within itself via "B".',
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
  });

  it('is not introspection in a circle', async () => {
    const { errors } = await gateway.graphql(
      '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }',
    );
    expect(errors?.[0]).toMatchObject({
      message: 'Maximum introspection depth exceeded',
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
  });
});

describe('cost', () => {
  const expensive = `query ($n: Int) { viewer { ${Array.from(
    { length: 10 },
    (_, i) => `a${i}: apiTokens(first: $n) { edges { cursor node {
    id uuid name prefix scopes expiresAt lastUsedAt createdAt __typename
  } } }`,
  ).join(' ')} } }`;

  it('counts what a page may hold, and refuses before anything is read', async () => {
    const { token } = await gateway.user();
    const before = gateway.statements.length;
    const { data, errors } = await gateway.graphql(expensive, { n: 200 }, token);
    expect(data).toBeUndefined();
    expect(errors).toEqual([
      {
        message: 'The query costs too much: 24011, and the limit is 20000.',
        extensions: { code: 'LIMIT_EXCEEDED', limit: 'cost', max: 20_000, found: 24_011 },
      },
    ]);
    const read = gateway.statements.slice(before).filter((sql) => /api_tokens"."user_id" = /.test(sql));
    expect(read).toEqual([]);
  });

  it('lets the same query pass with smaller pages', async () => {
    const { token } = await gateway.user();
    for (const n of [10, undefined]) {
      const { errors } = await gateway.graphql(expensive, { n }, token);
      expect(errors).toBeUndefined();
    }
  });

  // What could not be counted, for a malformed id or a variable that does not fit, was taken to cost nothing.
  it('is counted beside an argument that is wrong', async () => {
    const viewers = Array.from({ length: 25 }, (_, i) => `v${i}: viewer { id uuid username email }`);
    const query = `query ($id: ID!) { ${viewers.join(' ')} node(id: $id) { id } }`;
    const { token } = await strict.user();
    const wrong = await strict.graphql(query, { id: {} }, token);
    expect(wrong.errors?.[0].extensions.code).toBe('BAD_USER_INPUT');
    for (const id of ['malformed', 'VXNlcjow']) {
      const { errors } = await strict.graphql(query, { id }, token);
      expect(errors?.[0].extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 'cost', found: 127 });
    }
  });

  it('counts a fragment as often as it is spread', async () => {
    const query = `{ ${'viewer { ...A } '.repeat(10)} } fragment A on User { ...B ...B } fragment B on User { id uuid username email createdAt }`;
    const { token } = await strict.user();
    const { errors } = await strict.graphql(query, {}, token);
    expect(errors?.[0].extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 'cost', found: 110 });
  });

  it('passes over an argument whose variable is absent, and leaves the words to the field', async () => {
    const { token } = await strict.user();
    const query = 'query ($id: ID = "x") { node(id: $id) { id } }';
    const { errors } = await strict.graphql(query, { id: null }, token);
    expect(errors?.[0].extensions.code).toBe('BAD_USER_INPUT');
  });

  it('counts each id of nodes', async () => {
    const { token } = await gateway.user();
    const ids = Array.from({ length: 200 }, () =>
      Buffer.from(`User:${crypto.randomUUID()}`).toString('base64'),
    );
    const fields = Array.from({ length: 9 }, (_, i) => `a${i}: id`).join(' ');
    const spread = Array.from({ length: 3 }, (_, i) => `n${i}: nodes(ids: $ids) { ...U }`).join(' ');
    const query = `query ($ids: [ID!]!) { ${spread} } fragment U on User { ${fields} ${'username '.repeat(21)} createdAt email displayName uuid id __typename }`;
    const many = await gateway.graphql(query, { ids }, token);
    expect(many.errors?.[0].extensions).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      limit: 'cost',
      found: 21_603,
    });
    const few = await gateway.graphql(query, { ids: ids.slice(0, 20) }, token);
    expect(few.errors).toBeUndefined();
  });
});

describe('pages', () => {
  const pages = (args: string) => `{ viewer { apiTokens(${args}) { totalCount } } }`;
  const cursor = Buffer.from(`GPC:S:${crypto.randomUUID()}`).toString('base64');

  it.each([
    ['first: 201', [['first']], '"first" takes 1 to 200, and not 201.'],
    ['first: 0', [['first']], '"first" takes 1 to 200, and not 0.'],
    ['first: -1', [['first']], '"first" takes 1 to 200, and not -1.'],
    ['last: 2147483647', [['last']], '"last" takes 1 to 200, and not 2147483647.'],
    ['first: 1, last: 1', [['last']], undefined],
    [`first: 1, before: "${cursor}"`, [['before']], undefined],
    [`last: 1, after: "${cursor}"`, [['last']], undefined],
    ['first: 0, after: "x"', [['first'], ['after']], undefined],
    ['after: "x"', [['after']], '"after" takes a cursor as this API returned it.'],
    ['before: ""', [['before']], '"before" takes a cursor as this API returned it.'],
    [`after: "${cursor} "`, [['after']], undefined],
    [`after: "${Buffer.from('GPC:S:x').toString('base64')}"`, [['after']], undefined],
    [`after: "${Buffer.from('GPC:N:1').toString('base64')}"`, [['after']], undefined],
    [`after: "${Buffer.from(`GPC:S:${crypto.randomUUID()}\0`).toString('base64')}"`, [['after']], undefined],
  ])('%s is INVALID_INPUT', async (args, paths, message) => {
    const { token } = await gateway.user();
    const { data, errors } = await gateway.graphql(pages(args), {}, token);
    expect(data).toBeUndefined();
    expect(errors).toHaveLength(1);
    expect(errors?.[0].extensions).toMatchObject({ code: 'INVALID_INPUT', path: paths[0] });
    expect(errors?.[0].extensions.issues.map(({ path }: { path: string[] }) => path)).toEqual(paths);
    if (message) expect(errors?.[0].message).toBe(message);
  });

  it('are checked where variables, defaults and fragments hold the numbers', async () => {
    const { token } = await gateway.user();
    const query = `query ($n: Int = 500) { viewer { ...V } } fragment V on User { apiTokens(first: $n) { totalCount } }`;
    for (const variables of [{}, { n: 1_000 }, { n: 0 }]) {
      const { errors } = await gateway.graphql(query, variables, token);
      expect(errors?.[0].extensions.code).toBe('INVALID_INPUT');
    }
    const { errors } = await gateway.graphql(query, { n: 200 }, token);
    expect(errors).toBeUndefined();
  });

  it('of nodes are as large as those of lists', async () => {
    const { token } = await gateway.user();
    const ids = Array.from({ length: 201 }, () =>
      Buffer.from(`User:${crypto.randomUUID()}`).toString('base64'),
    );
    const { errors } = await gateway.graphql(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      { ids },
      token,
    );
    expect(errors?.[0].message).toBe('"ids" takes at most 200 items, and not 201.');
    expect(errors?.[0].extensions).toMatchObject({ code: 'INVALID_INPUT', path: ['ids'] });
  });
});

describe('a body', () => {
  it('beyond the limit is answered 413', async () => {
    const response = await gateway.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ __typename }', variables: { x: 'x'.repeat(300_000) } }),
    });
    expect(response.status).toBe(413);
  });
});

describe('time', () => {
  it('ends an operation whose database never answers, and says so', async () => {
    // A server that takes connections and stays silent.
    const silent = createServer(() => {});
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
    const { port } = silent.address() as AddressInfo;
    const db = createPrismaClient({ connectionString: `postgres://nobody@127.0.0.1:${port}/test` });
    const config = {
      ...gateway.runtime.config,
      limits: { ...gateway.runtime.config.limits, executionMs: 150 },
    };
    const yoga = createGraphQLServer({ ...gateway.runtime, config, db });
    try {
      const response = await yoga.fetch(
        new Request(`${gateway.origin}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query: '{ viewer { apiTokens { totalCount } sshKeys { totalCount } } }' }),
        }),
        {
          viewer: await viewerOf(gateway),
          requestId: 'request-1234',
        },
      );
      expect(response.status).toBe(504);
      const { errors } = (await response.json()) as GraphQLAnswer;
      expect(errors).toEqual([
        {
          message: 'The operation took longer than 0.15 s and was given up.',
          extensions: { code: 'EXECUTION_TIMEOUT' },
        },
      ]);
    } finally {
      silent.close();
    }
  });
});
