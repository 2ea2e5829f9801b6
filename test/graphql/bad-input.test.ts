import fc from 'fast-check';
import {
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isEnumType,
  isListType,
  isNonNullType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { expectNothingStored } from '../database-dump.ts';
import { type GraphQLAnswer, useGateway } from '../harness.ts';
import { newPublicKey } from '../new-public-key.ts';
import { globalId, MEANINGS, VALID_INPUTS } from './arguments.ts';
import { everythingOf, fieldsWithArguments, inputFieldsOf, mutationFields } from './walk.ts';
import { makeWorld, type World } from './world.ts';

// Every argument of every mutation and query, given everything that does not belong there. The tests walk the
// schema: an argument that is added is tested.

const gateway = useGateway();

let world: Promise<World> | undefined;
const theWorld = () => {
  world ??= makeWorld(gateway, 2);
  return world;
};

/** Codes of refusals. A code that is not here is not expected, INTERNAL_SERVER_ERROR least of all. */
const REFUSALS = new Set([
  'BAD_USER_INPUT',
  'INVALID_INPUT',
  'NOT_FOUND',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_REQUEST',
]);

/** What an answer must never show: stacks, paths, SQL, the ORM's words. */
const LEAK =
  /\bat \w+ \(|node_modules|\/(?:src|tmp|home|work)\/|\.[cm]?[jt]s:\d|SELECT |INSERT |UPDATE |[Pp]risma/;

/** Values that a field of the type never takes, by what is wrong with them. */
function neverValid(type: GraphQLInputType): Record<string, unknown> {
  const isList = isListType(getNullableType(type));
  const named = getNamedType(type);
  const wrong: Record<string, unknown> = { 'an object': { a: 1 }, 'a nested list': [[['x']]] };
  if (isNonNullType(type)) Object.assign(wrong, { null: null, 'left out': undefined });
  if (isEnumType(named) || named.name === 'Boolean' || named.name === 'Int') wrong.text = 'no such value';
  if (named.name !== 'Boolean') wrong.true = true;
  if (named.name !== 'Int' && named.name !== 'ID') wrong.number = 7;
  if (named.name === 'Int') Object.assign(wrong, { 'too large': 2 ** 31, 'a fraction': 1.5, negative: -1 });
  const [member] = isEnumType(named) ? named.getValues() : [];
  if (member && member.value !== member.name) wrong['the internal value'] = member.value;
  if (['ID', 'UUID', 'String', 'DateTime', 'URL'].includes(named.name)) {
    Object.assign(wrong, {
      'a NUL': 'a\0b',
      'a lone surrogate': 'a\ud800b',
      'a bell': 'a\u0007b',
      'an escape sequence': '\u001b[31mred',
      'a line separator': 'a\u2028b',
      overlong: 'x'.repeat(100_000),
    });
  }
  if (['ID', 'UUID', 'DateTime', 'URL'].includes(named.name)) wrong.empty = '';
  if (['UUID', 'DateTime', 'URL'].includes(named.name)) wrong['text of another form'] = 'tomorrow';
  if (named.name === 'DateTime') wrong['a day that does not exist'] = '2030-02-30T00:00:00Z';
  if (named.name === 'ID') {
    Object.assign(wrong, {
      'no global id': 'x',
      'a global id of another type': globalId('User'),
      'a global id of nothing': globalId('ApiToken'),
      'a global id without a uuid': Buffer.from('ApiToken:1').toString('base64'),
      'a global id with more behind it': `${globalId('ApiToken')}AAAA`,
    });
  }
  if (!isList) return wrong;
  const { 'left out': leftOut, ...items } = wrong;
  const lists: Record<string, unknown> = Object.fromEntries(
    Object.entries(items).map(([what, value]) => [`a list of ${what}`, [value]]),
  );
  return {
    ...lists,
    ...('left out' in wrong && { null: null, 'left out': leftOut }),
    'a list with null': [null],
  };
}

function refusalsIn(answer: GraphQLAnswer): { code: string; message: string }[] {
  const declared = Object.values(
    (answer.data ?? {}) as Record<string, { code?: string; message?: string } | null>,
  )
    .filter((result) => result !== null && typeof result === 'object' && 'code' in result)
    .map((result) => ({ code: result?.code ?? '', message: result?.message ?? '' }));
  const top = (answer.errors ?? []).map(({ message, extensions }) => ({ code: extensions.code, message }));
  return [...declared, ...top];
}

function expectHarmless(answer: GraphQLAnswer) {
  expect(answer.status).toBeLessThan(500);
  expect(JSON.stringify(answer)).not.toMatch(LEAK);
  for (const { code, message } of refusalsIn(answer)) {
    expect(code).not.toBe('INTERNAL_SERVER_ERROR');
    expect(message.length).toBeGreaterThan(5);
    expect(message.length).toBeLessThan(600);
  }
}

function expectRefused(answer: GraphQLAnswer, what: string) {
  expectHarmless(answer);
  const refusals = refusalsIn(answer);
  expect(refusals, `${what} was taken: ${JSON.stringify(answer).slice(0, 300)}`).not.toEqual([]);
  for (const { code } of refusals) expect([...REFUSALS]).toContain(code);
}

const inputs = mutationFields().flatMap((mutation) =>
  inputFieldsOf(mutation).map((field) => ({ name: `${mutation.name}.${field.name}`, mutation, field })),
);

function mutate(mutation: ReturnType<typeof mutationFields>[number], input: unknown, { user }: World) {
  const query = `mutation ($input: ${mutation.args[0]?.type}) { ${mutation.name}(input: $input) ${everythingOf(mutation.type)} }`;
  return gateway.graphql(query, { input }, user.token);
}

describe('a mutation with a bad field is refused in clear words, and stores nothing', () => {
  it.each(inputs)('$name', async ({ mutation, field }) => {
    const world = await theWorld();
    const valid = VALID_INPUTS[mutation.name]?.(world) ?? {};
    for (const [what, value] of Object.entries(neverValid((field as GraphQLInputField).type))) {
      const answer = await expectNothingStored(gateway, () =>
        mutate(mutation, { ...valid, [field.name]: value }, world),
      );
      expectRefused(answer, what);
    }
  });

  it.each(mutationFields())('$name with an input of any other shape', async (mutation) => {
    const world = await theWorld();
    const valid = VALID_INPUTS[mutation.name]?.(world) ?? {};
    for (const input of [null, undefined, 1, 'x', true, [], [valid, valid], { ...valid, noSuchField: 1 }]) {
      const answer = await expectNothingStored(gateway, () => mutate(mutation, input, world));
      expectRefused(answer, JSON.stringify(input));
    }
  });
});

describe('any value at all', () => {
  it.each(inputs)('as $name is refused and stores nothing, or is accepted', async ({ mutation, field }) => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 50 })
        .map((codes) => String.fromCharCode(...codes)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 3, arbitrary: text }, fc.jsonValue(), fc.array(text, { maxLength: 5 })),
        async (value) => {
          const world = await theWorld();
          const valid = VALID_INPUTS[mutation.name]?.(world) ?? {};
          const before = gateway.statements.length;
          const audited = await gateway.runtime.db.auditEvent.count();
          const answer = await mutate(mutation, { ...valid, [field.name]: value }, world);
          expectHarmless(answer);
          if (refusalsIn(answer).length > 0) {
            const commits = gateway.statements.slice(before).filter((sql) => sql === 'COMMIT');
            expect(commits, 'a refused mutation committed something').toEqual([]);
            // A statement on its own needs no COMMIT, but leaves its row in the audit trail.
            expect(await gateway.runtime.db.auditEvent.count()).toBe(audited);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('a mutation in a bad body is refused, and stores nothing', () => {
  const mutation =
    'mutation ($title: String!, $publicKey: String!) { addSshKey(input: {title: $title, publicKey: $publicKey}) { __typename } }';
  /** A body that is right but for what is put in place of `BAD`. */
  const bodyWith = (publicKey: string, bad: Uint8Array) => {
    const [before = '', after = ''] = JSON.stringify({
      query: mutation,
      variables: { title: 'a BAD title', publicKey },
    }).split('BAD');
    return new Uint8Array([...Buffer.from(before), ...bad, ...Buffer.from(after)]);
  };
  const ask = async (body: BodyInit, headers: Record<string, string> = {}) => {
    const { user } = await theWorld();
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
    const response = await expectNothingStored(gateway, () =>
      gateway.fetch('/graphql', { ...init, token: user.token, duplex: 'half' } as RequestInit),
    );
    const text = await response.text();
    expect(text).not.toMatch(LEAK);
    return { status: response.status, errors: JSON.parse(text).errors };
  };

  it.each([
    ['a byte that is none', [0xff]],
    ['a character that is cut', [0xc3]],
    ['an overlong encoding', [0xc0, 0x80]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
  ])('of invalid UTF-8: %s', async (_what, bad) => {
    const { user } = await theWorld();
    // Also when the document is known, and its request goes the short way.
    await gateway.graphql(mutation, { title: 'x', publicKey: newPublicKey() }, user.token);
    for (const accept of ['application/json', 'application/graphql-response+json', 'multipart/mixed, */*']) {
      const body = bodyWith(newPublicKey(), new Uint8Array(bad));
      const { status, errors } = await ask(body, { accept });
      expect([status, errors[0].extensions.code], accept).toEqual([400, 'BAD_REQUEST']);
    }
  });

  it.each(['', ' ', '{', 'null', '"x"', '[]', 'query=x', '{}{}', '{"query":1}', '{"query":null}', '{"a":1}'])(
    'that is %j',
    async (body) => {
      const { status, errors } = await ask(body);
      expect([status, errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  it('of another type, or too large', async () => {
    const body = bodyWith(newPublicKey(), Buffer.from('good'));
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      expect((await ask(body, { 'content-type': type })).status, type).toBe(415);
    }
    const large = bodyWith(newPublicKey(), Buffer.alloc(gateway.runtime.config.limits.bodyBytes, 'x'));
    for (const each of [large, new Blob([large]).stream()]) expect((await ask(each)).status).toBe(413);
  });
});

describe('a query with a bad argument is refused, or finds nothing', () => {
  const queries = fieldsWithArguments().flatMap(({ coordinate, field, operation }) =>
    field.args.map((arg) => ({
      name: `${coordinate}(${arg.name}:)`,
      arg,
      query: operation(
        `${field.name}(${arg.name}: $value) ${everythingOf(field.type)}`,
        `($value: ${arg.type})`,
      ),
    })),
  );

  it.each(queries)('$name', async ({ name, arg, query }) => {
    const { user } = await theWorld();
    for (const [what, value] of Object.entries(neverValid(arg.type))) {
      const answer = await gateway.graphql(query, { value }, user.token);
      expectHarmless(answer);
      // A name that nothing has is no fault: it finds nothing.
      if (getNamedType(arg.type).name === 'String' && MEANINGS[name] !== 'cursor') continue;
      if (getNamedType(arg.type).name === 'ID' && what.includes('a global id of')) continue;
      expectRefused(answer, what);
    }
  });

  it.each(queries)('$name with any value at all', async ({ query }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.jsonValue()),
        async (value) => {
          const { user } = await theWorld();
          expectHarmless(await gateway.graphql(query, { value }, user.token));
        },
      ),
      { numRuns: 40 },
    );
  });
});
