import { GraphQLError, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createPrismaClient } from '../../src/db/client.ts';
import { toPublicError } from '../../src/graphql/errors.ts';
import { createGraphQLServer } from '../../src/graphql/server.ts';
import type { Runtime } from '../../src/runtime.ts';
import { type GraphQLAnswer, useGateway, viewerOf } from '../harness.ts';

const gateway = useGateway();
const withoutIntrospection = useGateway({ env: { INTROSPECTION: 'false' } });

/** Asks a GraphQL server whose runtime differs from the gateway's. */
async function ask(
  change: Partial<Runtime>,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<GraphQLAnswer & { headers: Headers }> {
  const yoga = createGraphQLServer({ ...gateway.runtime, ...change });
  const response = await yoga.fetch(
    new Request(`${gateway.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    }),
    {
      viewer: await viewerOf(gateway),
      requestId: 'request-1234',
    },
  );
  const body = (await response.json()) as GraphQLAnswer;
  return { ...body, status: response.status, headers: response.headers };
}

const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  gateway.fetch('/graphql', { method: 'POST', headers, body });

describe('an error that nobody declared', () => {
  const SECRET = "SELECT * FROM users /srv/gatehouse/src/x.ts 'gth_secret'";
  const broken = {
    clock: () => {
      throw new Error(SECRET);
    },
  };
  const query = `mutation { createApiToken(input: {name: "x", scopes: [ADMIN], expiresAt: "2099-01-01"}) {
    __typename ... on UserError { code }
  } }`;

  it('is masked, and names the request', async () => {
    const { errors } = await ask(broken, query);
    expect(errors).toEqual([
      {
        message: 'Something went wrong on our side. Tell the administrator the request id.',
        path: ['createApiToken'],
        locations: [{ line: 1, column: 12 }],
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-1234' },
      },
    ]);
  });

  it('is logged with its cause under the same request id', async () => {
    const before = gateway.logLines.length;
    await ask(broken, query);
    const line = gateway.logLines.slice(before).find((text) => text.includes('operation failed'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      level: 'error',
      requestId: 'request-1234',
      path: ['createApiToken'],
      err: { message: SECRET, stack: expect.stringContaining('errors.test.ts') },
    });
  });
});

describe('an operation that runs in-process', () => {
  const as = async () => {
    const viewer = await viewerOf(gateway);
    return { viewer, requestId: 'request-9876' };
  };

  it('has its errors masked in the same way', async () => {
    const runtime: Runtime = {
      ...gateway.runtime,
      clock: () => {
        throw new Error('SELECT secret');
      },
    };
    const document =
      parse(`mutation { createApiToken(input: {name: "x", scopes: [ADMIN], expiresAt: "2099-01-01"}) {
      __typename
    } }`);
    const { errors } = await createGraphQLServer(runtime).execute(document, {}, await as());
    expect(errors?.map(({ extensions }) => extensions)).toEqual([
      { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-9876' },
    ]);
  });

  it('has the same limits', async () => {
    const { runtime } = gateway;
    const document = parse('{ viewer { apiTokens(first: 201) { totalCount } } }');
    const { errors } = await createGraphQLServer(runtime).execute(document, {}, await as());
    expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
  });
});

it('a stored value that does not fit its type is a bug of ours, and stays private', () => {
  const thrown = new GraphQLError('Enum "Scope" cannot represent value: "gth_secret"');
  const located = new GraphQLError(thrown.message, { originalError: thrown, path: ['viewer', 'scopes'] });
  const shown = toPublicError(located, {
    requestId: 'r',
    log: gateway.runtime.log,
    suggestions: true,
  });
  expect(shown.extensions.code).toBe('INTERNAL_SERVER_ERROR');
  expect(JSON.stringify(shown)).not.toContain('gth_secret');
});

describe('a database that is away', () => {
  it('is SERVICE_UNAVAILABLE, with 503 and when to try again', async () => {
    const db = createPrismaClient({ connectionString: 'postgres://nobody@127.0.0.1:1/test' });
    const { status, headers, data, errors } = await ask({ db }, '{ viewer { apiTokens { totalCount } } }');
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(data).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors?.[0]).toMatchObject({
      message: 'The service is not available right now. Try again in a few seconds.',
      extensions: { code: 'SERVICE_UNAVAILABLE' },
    });
    expect(JSON.stringify(errors)).not.toMatch(/127\.0\.0\.1|prisma|invocation/i);
  });
});

describe('a request without a valid token', () => {
  it('is UNAUTHENTICATED, with 401 and how to authenticate', async () => {
    const response = await post(JSON.stringify({ query: '{ viewer { username } }' }));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="Gatehouse"');
    const { errors } = (await response.json()) as GraphQLAnswer;
    expect(errors?.[0].extensions).toEqual({ code: 'UNAUTHENTICATED' });
  });

  it('is FORBIDDEN when the token lacks the scope', async () => {
    const { token } = await gateway.user(['ssh_keys:read']);
    const { status, data, errors } = await gateway.graphql('{ viewer { username } }', {}, token);
    expect({ status, data }).toEqual({ status: 200, data: null });
    expect(errors?.[0].extensions).toEqual({ code: 'FORBIDDEN' });
  });
});

describe("GraphQL's own errors carry a code", () => {
  it.each([
    ['a syntax error', '{ viewer {', {}, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{ viewer { nope } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['a wrong literal', '{ node(id: {}) { id } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['a wrong variable', 'query ($id: ID!) { node(id: $id) { id } }', { id: {} }, 'BAD_USER_INPUT'],
    ['a missing variable', 'query ($id: ID!) { node(id: $id) { id } }', {}, 'BAD_USER_INPUT'],
    ['a null variable', 'query ($id: ID!) { node(id: $id) { id } }', { id: null }, 'BAD_USER_INPUT'],
    [
      'an optional variable that is absent where a value has to be',
      'query ($id: ID = "x") { node(id: $id) { id } }',
      { id: null },
      'BAD_USER_INPUT',
    ],
    ['a malformed id', 'query ($id: ID!) { node(id: $id) { id } }', { id: 'x' }, 'INVALID_INPUT'],
  ])('%s', async (_what, query, variables, code) => {
    const { token } = await gateway.user();
    const { errors } = await gateway.graphql(query, variables, token);
    expect(errors?.[0].extensions.code).toBe(code);
    expect(errors?.[0].extensions.requestId).toBeUndefined();
  });

  // An error of ours with a property `path` was taken for one that graphql-js had located already.
  it('and say where in the query they happened', async () => {
    const { token } = await gateway.user();
    const { errors } = await gateway.graphql('{ bad: node(id: "x") { id } }', {}, token);
    expect(errors).toEqual([
      {
        message: 'The id is malformed: pass a global id as this API returned it.',
        path: ['bad'],
        locations: [{ line: 1, column: 3 }],
        extensions: {
          code: 'INVALID_INPUT',
          path: ['id'],
          issues: [
            { path: ['id'], message: 'The id is malformed: pass a global id as this API returned it.' },
          ],
        },
      },
    ]);
  });

  it('an operation that the document does not hold', async () => {
    const response = await post(JSON.stringify({ query: 'query A { __typename }', operationName: 'B' }));
    const { errors } = (await response.json()) as GraphQLAnswer;
    expect(errors?.[0].extensions.code).toBe('OPERATION_RESOLUTION_FAILURE');
  });

  it('an overlong value is quoted in part', async () => {
    const { token } = await gateway.user();
    const { errors } = await gateway.graphql(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      { ids: { long: 'x'.repeat(50_000) } },
      token,
    );
    expect(errors?.[0].message.length).toBeLessThan(600);
    expect(errors?.[0].extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('suggestions', () => {
  const guess = '{ viewer { usrname } }';

  it('help while introspection is on', async () => {
    const { errors } = await gateway.graphql(guess);
    expect(errors?.[0].message).toBe('Cannot query field "usrname" on type "User". Did you mean "username"?');
  });

  it('are left out when introspection is off, and so is the schema', async () => {
    const { errors } = await withoutIntrospection.graphql(guess);
    expect(errors?.[0].message).toBe('Cannot query field "usrname" on type "User".');
    const schema = await withoutIntrospection.graphql('{ __schema { types { name } } }');
    expect(schema.errors?.[0].extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(schema.data).toBeUndefined();
  });
});

describe('a body that is no GraphQL request', () => {
  it.each([
    ['no JSON', '{', 400, 'BAD_REQUEST'],
    ['empty', '', 400, 'BAD_REQUEST'],
    ['null', 'null', 400, 'BAD_REQUEST'],
    ['an array', '[{"query":"{ __typename }"}]', 400, 'BAD_REQUEST'],
    ['without a query', '{}', 400, 'BAD_REQUEST'],
    ['with a query of a wrong type', '{"query":1}', 400, 'BAD_REQUEST'],
    ['with variables of a wrong type', '{"query":"{ __typename }","variables":[]}', 400, 'BAD_REQUEST'],
    ['with an unknown parameter', '{"query":"{ __typename }","x":1}', 400, 'BAD_REQUEST'],
  ])('%s', async (_what, body, status, code) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as GraphQLAnswer;
    expect(errors?.[0].extensions).toEqual({ code });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
  ])('of the type %s, which a form on another site could send', async (type) => {
    const response = await post('query=%7B__typename%7D', { 'content-type': type });
    expect(response.status).toBe(415);
    const { errors } = (await response.json()) as GraphQLAnswer;
    expect(errors?.[0].extensions).toEqual({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('with parameters in the address that are no JSON', async () => {
    const response = await gateway.fetch('/graphql?query=%7B__typename%7D&variables=%7B');
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as GraphQLAnswer;
    expect(errors?.[0].extensions).toEqual({ code: 'BAD_REQUEST' });
  });

  it('with a mutation in the address', async () => {
    const response = await gateway.fetch('/graphql?query=mutation%7B__typename%7D');
    expect(response.status).toBe(405);
  });
});
