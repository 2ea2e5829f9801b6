import { getNamedType, isNonNullType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isPaged } from '../../src/graphql/paging.ts';
import { expectNothingStored } from '../database-dump.ts';
import { type GraphQLAnswer, useGateway } from '../harness.ts';
import { globalId, MEANINGS, type Meaning, VALID_INPUTS } from './arguments.ts';
import { everythingOf, fieldsWithArguments, inputFieldsOf, mutationFields, nodeTypes } from './walk.ts';
import { makeWorld, textOf, viewerType, type World } from './world.ts';

// Another user's row must behave exactly as one that does not exist. The tests walk the schema: a field, argument
// or mutation that is added is tested, or fails here until it is said what it means.

const gateway = useGateway({ env: { MAX_QUERY_TOKENS: '20000', MAX_QUERY_COST: '1000000' } });

/** Whoever asks: has rows of their own, so that answers are not empty for want of any. */
let asker: Promise<World> | undefined;
/** Whose rows are asked for. */
let owner: Promise<World> | undefined;

async function worlds() {
  asker ??= makeWorld(gateway, 2);
  await asker;
  owner ??= makeWorld(gateway, 2);
  return { asker: await asker, owner: await owner };
}

const NAMING_TYPES = new Set(['ID', 'UUID', 'String']);

function meaningOf(coordinate: string): Meaning {
  const meaning = MEANINGS[coordinate];
  if (!meaning) throw new Error(`What does ${coordinate} name? Say so in test/graphql/arguments.ts.`);
  return meaning;
}

const ask = ({ user }: World, query: string, variables: Record<string, unknown>): Promise<GraphQLAnswer> =>
  gateway.graphql(query, variables, user.token);

/** The arguments of queries that may name something, with the operation that passes one. */
const queryArguments = fieldsWithArguments().flatMap(({ coordinate, field, operation }) =>
  field.args
    .filter((arg) => NAMING_TYPES.has(getNamedType(arg.type).name))
    .map((arg) => ({
      coordinate: `${coordinate}(${arg.name}:)`,
      query: operation(
        `${field.name}(${arg.name}: $value) ${everythingOf(field.type)}`,
        `($value: ${arg.type})`,
      ),
    })),
);

const mutationArguments = mutationFields().flatMap((mutation) =>
  inputFieldsOf(mutation)
    .filter((field) => NAMING_TYPES.has(getNamedType(field.type).name))
    .map((field) => ({
      coordinate: `${getNamedType(mutation.args[0]?.type)?.name}.${field.name}`,
      mutation,
      field,
      query: `mutation ($input: ${mutation.args[0]?.type}) { ${mutation.name}(input: $input) ${everythingOf(mutation.type)} }`,
    })),
);

describe('every argument that may name something', () => {
  it('has a meaning, and no meaning is left over', () => {
    const coordinates = [...queryArguments, ...mutationArguments].map(({ coordinate }) => coordinate);
    expect(Object.keys(MEANINGS).sort()).toEqual([...new Set(coordinates)].sort());
  });

  it('has a mutation with a valid input', () => {
    expect(Object.keys(VALID_INPUTS).sort()).toEqual(
      mutationFields()
        .map(({ name }) => name)
        .sort(),
    );
  });

  const named = queryArguments.flatMap(({ coordinate, query }) => {
    const meaning = meaningOf(coordinate);
    return typeof meaning === 'object' ? [{ coordinate, query, meaning }] : [];
  });

  it.each(named)(
    "answers a query for another user's row as if there were none: $coordinate",
    async ({ query, meaning }) => {
      const { asker, owner } = await worlds();
      const value = meaning.of(owner);
      const foreign = await ask(asker, query, { value });
      expect(foreign).toEqual(await ask(asker, query, { value: meaning.absent }));
      // The same question finds something for the owner.
      expect(await ask(owner, query, { value })).not.toEqual(foreign);
    },
  );
});

describe('node and nodes', () => {
  const query = `query ($id: ID!, $ids: [ID!]!) { node(id: $id) { id __typename } nodes(ids: $ids) { id __typename } }`;

  it.each(nodeTypes())("are null for another user's %s", async (typename) => {
    const { asker, owner } = await worlds();
    const id = textOf(owner, typename, 'id');
    const own = textOf(asker, typename, 'id');
    const absent = globalId(typename);
    const foreign = await ask(asker, query, { id, ids: [id, own, id] });
    expect(foreign).toEqual({
      status: 200,
      data: { node: null, nodes: [null, { __typename: typename, id: own }, null] },
    });
    expect(foreign).toEqual(await ask(asker, query, { id: absent, ids: [absent, own, absent] }));
    const found = await ask(owner, query, { id, ids: [id] });
    expect(found.data).toEqual({ node: { __typename: typename, id }, nodes: [{ __typename: typename, id }] });
  });

  it('are null for what is no node at all', async () => {
    const { asker } = await worlds();
    for (const typename of ['Query', 'InputIssue', 'Nothing', 'Scope', 'Node', '__Type', 'constructor']) {
      const id = globalId(typename);
      const { data, errors } = await ask(asker, query, { id, ids: [id] });
      if (typename.startsWith('__')) expect(errors?.[0].extensions.code).toBe('INVALID_INPUT');
      else expect({ data, errors }).toEqual({ data: { node: null, nodes: [null] }, errors: undefined });
    }
  });
});

describe("a cursor at another user's row", () => {
  const lists = fieldsWithArguments().filter(({ field }) => isPaged(field));

  it.each(lists)('says nothing of it: $coordinate', async ({ field, operation }) => {
    const { asker, owner } = await worlds();
    const page = (args: string, variables = '') =>
      operation(
        `${field.name}${args} { edges { cursor } pageInfo { ${Object.keys({ hasNextPage: 0, hasPreviousPage: 0 }).join(' ')} } }`,
        variables,
      );
    const edges = (answer: GraphQLAnswer) =>
      Object.values(answer.data.viewer as Record<string, { edges: { cursor: string }[] }>)[0]?.edges ?? [];

    const [cursor = ''] = edges(await ask(owner, page(''), {})).map((edge) => edge.cursor);
    expect(cursor).not.toBe('');
    // The same place in the order of ids, but nobody's.
    const [, uuid = ''] =
      Buffer.from(cursor, 'base64')
        .toString()
        .match(/^GPC:S:(.*)$/) ?? [];
    const other = uuid.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    const absent = Buffer.from(`GPC:S:${other}`).toString('base64');

    for (const argument of ['after', 'before']) {
      const query = page(`(${argument}: $cursor)`, '($cursor: String)');
      const foreign = await ask(asker, query, { cursor });
      expect(foreign.errors).toBeUndefined();
      expect(foreign).toEqual(await ask(asker, query, { cursor: absent }));
    }
  });
});

describe('a mutation that names a row of another user', () => {
  const named = mutationArguments.flatMap((argument) => {
    const meaning = meaningOf(argument.coordinate);
    return typeof meaning === 'object' ? [{ ...argument, meaning }] : [];
  });

  it.each(named)(
    '$coordinate answers as if there were none, and stores nothing',
    async ({ mutation, field, query, meaning }) => {
      const { asker, owner } = await worlds();
      const valid = VALID_INPUTS[mutation.name]?.(owner) ?? {};
      const foreign = await expectNothingStored(gateway, () =>
        ask(asker, query, { input: { ...valid, [field.name]: meaning.of(owner) } }),
      );
      const absent = await ask(asker, query, { input: { ...valid, [field.name]: meaning.absent } });
      expect(foreign).toEqual(absent);
      // The same request does something else for the owner: one of their own, for it may be gone afterwards.
      const another = await makeWorld(gateway, 2);
      const own = { ...VALID_INPUTS[mutation.name]?.(another), [field.name]: meaning.of(another) };
      expect(await ask(another, query, { input: own })).not.toEqual(foreign);
    },
  );
});

describe('everything that a user can read', () => {
  it("holds no id, name or secret of another user's", async () => {
    const { asker, owner } = await worlds();
    const { data, errors } = await ask(asker, `{ viewer ${everythingOf(viewerType())} }`, {});
    expect(errors).toBeUndefined();
    const shown = JSON.stringify(data);
    for (const typename of nodeTypes()) {
      for (const row of owner.rows(typename)) {
        for (const field of [
          'id',
          'uuid',
          'username',
          'prefix',
          'fingerprint',
          'publicKey',
          'clientId',
          'clientSecret',
        ]) {
          const value = row[field];
          // Prefixes of tokens are short, and may meet by chance in something longer.
          if (typeof value === 'string') expect(shown).not.toContain(JSON.stringify(value));
        }
      }
    }
    expect(isNonNullType(viewerType())).toBe(true);
  });
});
