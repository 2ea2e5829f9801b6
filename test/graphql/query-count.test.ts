import { getNamedType, getNullableType, isLeafType, isListType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isPaged } from '../../src/graphql/paging.ts';
import { schema } from '../../src/graphql/schema.ts';
import { useGateway } from '../harness.ts';
import { withoutTokenCheck } from '../statements.ts';
import { everythingOf, fieldsOf, nodeTypes, type SelectionOptions } from './walk.ts';
import { makeWorld, viewerType, type World } from './world.ts';

// The number of SQL statements must not depend on the number of rows. The tests walk the schema: a list that is
// added is counted, with everything below it.

const MANY = 50;
const gateway = useGateway({ env: { MAX_QUERY_TOKENS: '20000', MAX_QUERY_COST: '10000000' } });

let one: Promise<World> | undefined;
let many: Promise<World> | undefined;

async function worlds() {
  one ??= makeWorld(gateway, 1);
  many ??= makeWorld(gateway, MANY);
  return { one: await one, many: await many };
}

/** Each list as long as it goes. */
const whole: SelectionOptions = {
  args: (_coordinate, args) => (isPaged({ args }) ? `(first: ${MANY + 10})` : ''),
};

/** The statements of one request, without those of its token check. */
async function statementsOf({ user }: World, query: string, variables: Record<string, unknown> = {}) {
  const before = gateway.statements.length;
  const { data, errors } = await gateway.graphql(query, variables, user.token);
  expect(errors).toBeUndefined();
  const statements = withoutTokenCheck(gateway.statements.slice(before));
  return { data, statements };
}

/** How many objects an answer holds. */
function objectsIn(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  return Object.values(value).reduce(
    (sum: number, inner) => sum + objectsIn(inner),
    '__typename' in value ? 1 : 0,
  );
}

async function expectSameCount(
  query: string,
  variables: (world: World) => Record<string, unknown> = () => ({}),
) {
  const { one, many } = await worlds();
  const few = await statementsOf(one, query, variables(one));
  const lots = await statementsOf(many, query, variables(many));
  // The queries do read 50 times as much.
  expect(objectsIn(lots.data)).toBeGreaterThan(objectsIn(few.data) + MANY - 2);
  expect(lots.statements.length, lots.statements.join('\n')).toBe(few.statements.length);
}

const viewer = getNamedType(viewerType());
const lists = fieldsOf(viewer).filter(
  ({ args, type }) =>
    !isLeafType(getNamedType(type)) && (isPaged({ args }) || isListType(getNullableType(type))),
);

describe('1 row and 50 rows cost the same number of statements', () => {
  it.each(lists.map(({ name }) => name))('in viewer.%s, with everything below each row', async (name) => {
    const without = fieldsOf(viewer)
      .filter((field) => field.name !== name)
      .map((field) => `${viewer.name}.${field.name}`);
    await expectSameCount(`{ viewer ${everythingOf(viewerType(), { ...whole, without })} }`);
  });

  it('in everything that a viewer can read at once', async () => {
    await expectSameCount(`{ viewer ${everythingOf(viewerType(), whole)} }`);
  });

  it.each(nodeTypes().filter((name) => name !== viewer.name))('in nodes of the type %s', async (typename) => {
    const type = schema.getType(typename);
    const selection = everythingOf(type as Parameters<typeof everythingOf>[0], whole);
    await expectSameCount(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ${typename} ${selection} } }`,
      (world) => ({
        ids: world.rows(typename).map(({ id }) => id),
      }),
    );
  });
});

it("reads one page's rows from the database, not the whole list", async () => {
  const { many } = await worlds();
  for (const { name, args } of lists) {
    if (!isPaged({ args })) continue;
    const { statements } = await statementsOf(many, `{ viewer { ${name}(first: 3) { edges { cursor } } } }`);
    expect(statements.at(-1), name).toMatch(/ORDER BY .* DESC LIMIT (\$\d+|wanted\.take)/s);
  }
});
