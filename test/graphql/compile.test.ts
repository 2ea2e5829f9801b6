import fc from 'fast-check';
import {
  buildSchema,
  execute,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isObjectType,
  parse,
  validate,
} from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileQuery } from '../../src/graphql/compile.ts';
import type { Context } from '../../src/graphql/context.ts';
import { coerceVariables, findOperation } from '../../src/graphql/operation.ts';

// What a compiled query answers is what graphql-js answers; where graphql-js finds an error, it answers nothing.

const schema = buildSchema(`
  enum Size { SMALL LARGE }
  input Filter { size: Size = LARGE, names: [String!] }
  interface Node { id: ID! }
  type Box implements Node {
    id: ID!
    size: Size!
    label: String
    inside: [Thing!]!
    grid: [[Int]!]!
    late: Box
    lateList: [Box]!
    fails: String
    faultyLabels: [String]!
    faultyBoxes: [Box]!
    missing: String!
    echo(text: String = "none", filter: Filter, times: Int! = 1): String!
  }
  type Ball implements Node { id: ID!, radius: Float!, label: String }
  union Thing = Box | Ball
  type Query { box(id: ID! = "b1"): Box, node(id: ID!): Node, things: [Thing!]!, nothing: Box, never: Box! }
`);

type Values = Record<string, unknown>;
const ball = (id: string) => ({ __typename: 'Ball', id, radius: 1.5, label: null });
const box = (id: string): Values => ({
  __typename: 'Box',
  id,
  size: 'SMALL',
  label: `"${id}"`,
  grid: [[1, null], [], [3]],
  broken: new Error('broken'),
});

type Resolve = (source: Values, args: Values, context: Context, info: GraphQLResolveInfo) => unknown;

const resolvers: Record<string, Record<string, Resolve>> = {
  Query: {
    box: (_source, { id }) => (id === 'none' ? null : box(String(id))),
    node: (_source, { id }) =>
      String(id).startsWith('b') ? box(String(id)) : Promise.resolve(ball(String(id))),
    things: async () => [box('b1'), ball('c1'), box('b2')],
    nothing: () => undefined,
    never: () => null,
  },
  Box: {
    inside: ({ id }) => [ball(`${id}.1`), box(`${id}.2`)],
    late: async ({ id }) => box(`${id}.late`),
    lateList: ({ id }) => [Promise.resolve(box(`${id}.1`)), null, box(`${id}.2`)],
    faultyLabels: () => ['a', new Error('fails')],
    faultyBoxes: ({ id }) => [box(`${id}.1`), Promise.resolve(new Error('fails'))],
    fails: () => {
      throw new Error('fails');
    },
    echo: (_source, args, _context, { fieldName, parentType, variableValues }) =>
      JSON.stringify({ args, fieldName, parentType, variableValues }),
  },
};

beforeAll(() => {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const [name, resolve] of Object.entries(resolvers[type.name] ?? {})) {
      const field = type.getFields()[name];
      if (field) field.resolve = resolve;
    }
  }
});

const context = {} as Context;

async function compare(text: string, variables: Values = {}): Promise<'answered' | 'refused'> {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  const expected = await execute({ schema, document, variableValues: variables, contextValue: context });
  const answer = await answerOf(schema, text, variables);
  // The text, for it has an order.
  if (!expected.errors) expect(answer).toBe(JSON.stringify(expected.data));
  else expect(answer).toBeNull();
  return expected.errors ? 'refused' : 'answered';
}

async function answerOf(schema: GraphQLSchema, text: string, variables: Values): Promise<string | null> {
  const document = parse(text);
  const found = findOperation(document);
  const coerced = found && coerceVariables(schema, found, variables);
  if (!found || !coerced) return null;
  try {
    return await compileQuery(schema, document, found.operation, coerced)(context, coerced);
  } catch {
    return null;
  }
}

describe('a compiled query answers as graphql-js does', () => {
  it.each([
    '{ box { id size label __typename grid } }',
    '{ __typename box { size: id id: size } }',
    '{ __proto__: box { constructor: id __proto__: size toString: label } hasOwnProperty: __typename }',
    '{ nothing { id } other: box(id: "none") { id } }',
    '{ box { late { late { id } size } lateList { id late { id } } id } }',
    '{ things { __typename ... on Node { id } ... on Ball { radius } ... on Box { inside { ... on Ball { id } } } } }',
    '{ node(id: "b7") { id ... on Box { size } } ball: node(id: "c7") { ...Round id } } fragment Round on Ball { radius label }',
    '{ box { inside { ...All } } } fragment All on Thing { ... on Box { ...Boxed } ... on Ball { label } } fragment Boxed on Box { id label ... { size } }',
    '{ box { id } ...More box { label late { id } } } fragment More on Query { box { size late { label } } }',
    '{ box { echo a: echo(text: null) b: echo(text: "x", times: 3, filter: {names: ["n"]}) c: echo(filter: null) } }',
    '{ box { id @skip(if: true) size @include(if: true) label @include(if: false) } nothing @skip(if: true) { id } }',
  ])('to %s', async (text) => expect(await compare(text)).toBe('answered'));

  it.each([
    '{ box { fails id } }',
    '{ box { late { missing } } }',
    '{ box { faultyLabels } }',
    '{ box { faultyBoxes { label } } }',
    '{ never { id } }',
    '{ __schema { queryType { name } } }',
    '{ box { id __typename } __type(name: "Box") { name } }',
  ])('and leaves to it what goes wrong, or is about the schema: %s', async (text) => {
    expect(await answerOf(schema, text, {})).toBeNull();
  });

  it('whatever its variables are', async () => {
    const text = `query ($id: ID!, $text: String, $times: Int = 2, $filter: Filter, $a: Boolean!, $b: Boolean = false) {
      box(id: $id) {
        id @skip(if: $a) @include(if: $b)
        ... @include(if: $a) { size echo(text: $text, times: $times, filter: $filter) }
        ...Late @skip(if: $b)
        inside { ... on Ball @include(if: $b) { id } ... on Node { id @skip(if: $b) __typename } }
      }
    }
    fragment Late on Box { late { id label @include(if: $a) } plain: echo }`;
    const seen = new Set<string>();
    const optional = <Value>(values: fc.Arbitrary<Value>) => fc.option(values, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          id: fc.constantFrom<unknown>('b1', 'none', 7, null),
          text: optional(fc.oneof(fc.string(), fc.constant(null))),
          times: optional(fc.constantFrom<unknown>(1, 2.5, null)),
          filter: optional(
            fc.constantFrom<unknown>(
              {},
              { size: 'SMALL' },
              { names: ['x'] },
              { names: null },
              { size: 'HUGE' },
            ),
          ),
          a: fc.constantFrom<unknown>(true, false, undefined),
          b: optional(fc.boolean()),
        }),
        async (variables) => {
          // Over HTTP, what is undefined is not there.
          seen.add(await compare(text, JSON.parse(JSON.stringify(variables)) as Values));
        },
      ),
    );
    expect(seen).toEqual(new Set(['answered', 'refused']));
  });
});
