import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GraphQLAnswer, useGateway } from '../harness.ts';

const gateway = useGateway();

/** Generous on a busy machine; without limits these requests take minutes, or the process. */
const QUICKLY_MS = 3_000;

interface Hostile {
  query: string;
  /** As JSON: some values are nested too deeply for JSON.stringify. */
  variables?: string;
}

const name = fc.constantFrom('viewer', 'nodes', 'node', 'a', '__typename', '__schema', 'apiTokens', 'edges');
const size = fc.integer({ min: 15, max: 3_000 });
const times = (n: number, make: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => make(i)).join(' ');

/** Each attack is refused for its size; what it is made of varies. */
const attacks: Record<string, fc.Arbitrary<Hostile>> = {
  'deep selection sets': fc
    .tuple(size, name)
    .map(([n, field]) => ({ query: `{ ${`${field} { `.repeat(n)}id${' }'.repeat(n)} }` })),
  'deep inline fragments': size.map((n) => ({ query: `{ ${'... { a { '.repeat(n)}id${' } }'.repeat(n)} }` })),
  'deep list literals': size.map((n) => ({
    query: `{ nodes(ids: ${'['.repeat(n)}"x"${']'.repeat(n)}) { id } }`,
  })),
  'deep object literals': size.map((n) => ({
    query: `{ node(id: ${'{a: '.repeat(n)}1${'}'.repeat(n)}) { id } }`,
  })),
  'unclosed brackets': fc
    .tuple(size, fc.constantFrom('{', '[', '(', '{a(b:['))
    .map(([n, open]) => ({ query: open.repeat(n * 20) })),
  'deep types of variables': size.map((n) => ({
    query: `query ($a: ${'['.repeat(n)}ID${']'.repeat(n)}) { __typename }`,
  })),
  'many aliases': fc
    .tuple(fc.integer({ min: 31, max: 3_000 }), fc.constantFrom('__typename', 'viewer { id }', 'a: b'))
    .map(([n, field]) => ({ query: `{ ${times(n, (i) => `x${i}: ${field}`)} }` })),
  'the same field again and again': fc
    .tuple(fc.integer({ min: 22, max: 60_000 }), fc.constantFrom('__typename', 'viewer { username }'))
    .map(([n, field]) => ({ query: `{ ${`${field} `.repeat(n)} }`.slice(0, 250_000) })),
  'the same field in fragments side by side': fc.integer({ min: 700, max: 20_000 }).map((n) => ({
    query: `{ ${'... { viewer { id } } '.repeat(n)} }`,
  })),
  'many directives': fc
    .tuple(
      fc.integer({ min: 51, max: 3_000 }),
      fc.constantFrom('@a', '@skip(if: false)', '@include(if: true)'),
    )
    .map(([n, directive]) => ({ query: `{ __typename ${`${directive} `.repeat(n)} }` })),
  'fragments that multiply': fc
    .tuple(fc.integer({ min: 13, max: 60 }), fc.integer({ min: 2, max: 9 }))
    .map(([length, width]) => ({
      query: `{ ...F0 } ${times(length, (i) => `fragment F${i} on Query { ${i + 1 < length ? `...F${i + 1} `.repeat(width) : '__typename'} }`)}`,
    })),
  'fragments in a circle': fc.integer({ min: 2, max: 200 }).map((n) => ({
    query: `{ ...F0 } ${times(n, (i) => `fragment F${i} on Query { ...F${(i + 1) % n} }`)}`,
  })),
  'many unused fragments': fc.integer({ min: 2, max: 2_000 }).map((n) => ({
    query: `{ __typename } ${times(n, (i) => `fragment F${i} on Query { __typename }`)}`,
  })),
  'many operations': fc.integer({ min: 2, max: 2_000 }).map((n) => ({
    query: times(n, (i) => `query Q${i} { __typename }`),
  })),
  'many variables': fc.integer({ min: 2, max: 2_000 }).map((n) => ({
    query: `query (${times(n, (i) => `$v${i}: Int`)}) { __typename }`,
  })),
  'introspection in a circle': fc.integer({ min: 4, max: 100 }).map((n) => ({
    query: `{ __schema { types { ${'fields { type { '.repeat(n)}name${' } }'.repeat(n)} } } }`,
  })),
  'long lists of ids': fc.integer({ min: 201, max: 5_000 }).map((n) => ({
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    variables: JSON.stringify({ ids: Array.from({ length: n }, () => 'VXNlcjow') }),
  })),
  'variables nested deeply': fc.integer({ min: 100, max: 50_000 }).map((n) => ({
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    variables: `{"ids":${'['.repeat(n)}${']'.repeat(n)}}`,
  })),
  'huge numbers': fc
    .tuple(
      fc.constantFrom('9'.repeat(500), '-1e999', '2147483648', '1e308', '0'.repeat(400), '-0', '1.5', '0x10'),
      fc.constantFrom('first', 'last'),
    )
    .map(([n, arg]) => ({ query: `{ viewer { apiTokens(${arg}: ${n}) { totalCount } } }` })),
  'huge numbers in variables': fc
    .tuple(
      fc.constantFrom(1e308, -1e308, 2 ** 53, -(2 ** 31) - 1, 1.5, 2 ** 31),
      fc.constantFrom('first', 'last'),
    )
    .map(([n, arg]) => ({
      query: `query ($n: Int) { viewer { apiTokens(${arg}: $n) { totalCount } } }`,
      variables: JSON.stringify({ n }),
    })),
  'names that JavaScript knows': fc
    .constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf')
    .map((field) => ({ query: `{ ${field} { ${field} } }`, variables: `{"${field}":{"${field}":1}}` })),
};

async function send(body: string): Promise<GraphQLAnswer> {
  const { token } = await user;
  const response = await gateway.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    token,
  });
  return { status: response.status, ...((await response.json()) as object) } as GraphQLAnswer;
}

let user: ReturnType<typeof gateway.user>;

function expectRefusal(answer: GraphQLAnswer) {
  expect(answer.errors?.length).toBeGreaterThan(0);
  for (const { extensions, message } of answer.errors ?? []) {
    expect(extensions.code).not.toBe('INTERNAL_SERVER_ERROR');
    expect(message.length).toBeLessThan(600);
  }
  expect(JSON.stringify(answer)).not.toMatch(/node_modules|\.ts:\d|[Pp]risma|SELECT /);
}

describe('a hostile request is refused, quickly and in clear words', () => {
  it.each(Object.entries(attacks))('%s', async (_name, attack) => {
    user ??= gateway.user();
    await fc.assert(
      fc.asyncProperty(attack, async ({ query, variables = 'null' }) => {
        const started = performance.now();
        expectRefusal(await send(`{"query":${JSON.stringify(query)},"variables":${variables}}`));
        expect(performance.now() - started).toBeLessThan(QUICKLY_MS);
      }),
      { numRuns: 15 },
    );
    const { data } = await send('{"query":"{ __typename }"}');
    expect(data).toEqual({ __typename: 'Query' });
  });
});

describe('any text at all', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 2_000 }),
    fc.string({ unit: 'grapheme', maxLength: 500 }),
    // Lone surrogates too, which JSON can carry.
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 500 })
      .map((codes) => String.fromCharCode(...codes)),
    fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '(',
          ')',
          '[',
          ']',
          '...',
          'on',
          'a',
          '$',
          '@',
          ':',
          '"',
          '"""',
          '#',
          '\\u',
          '!',
          '&',
          '|',
          '1e',
          '-',
        ),
        {
          maxLength: 300,
        },
      )
      .map((parts) => parts.join(' ')),
  );

  it('as a query is refused without a failure of ours', async () => {
    user ??= gateway.user();
    await fc.assert(
      fc.asyncProperty(text, async (query) => expectRefusal(await send(JSON.stringify({ query })))),
      { numRuns: 200 },
    );
  });

  it('as a body is refused without a failure of ours', async () => {
    user ??= gateway.user();
    await fc.assert(
      fc.asyncProperty(text, async (body) => expectRefusal(await send(body))),
      { numRuns: 200 },
    );
  });

  it('as variables and parameters is refused or harmless', async () => {
    user ??= gateway.user();
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.jsonValue(),
        fc.jsonValue(),
        async (variables, operationName, extensions) => {
          const query = 'query A($id: ID!) { node(id: $id) { id } }';
          const { errors = [] } = await send(JSON.stringify({ query, variables, operationName, extensions }));
          for (const error of errors) expect(error.extensions.code).not.toBe('INTERNAL_SERVER_ERROR');
        },
      ),
      { numRuns: 200 },
    );
  });
});
