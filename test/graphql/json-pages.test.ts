import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { execute, type GraphQLObjectType, getNamedType, isLeafType, parse } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Viewer } from '../../src/auth/viewer.ts';
import { compileQuery } from '../../src/graphql/compile.ts';
import { buildCompiledSchema } from '../../src/graphql/compiled-schema.ts';
import type { Context } from '../../src/graphql/context.ts';
import { coerceVariables, findOperation, type Operation } from '../../src/graphql/operation.ts';
import { schema } from '../../src/graphql/schema.ts';
import { useGateway, viewerOf } from '../harness.ts';
import { fieldsOf } from './walk.ts';

// PostgreSQL writes the rows of lists as JSON where it can. Nobody may see that: each byte is as resolvers make it.

const gateway = useGateway();
const compiled = buildCompiledSchema();
const NOW = new Date('2026-05-05T05:05:05.050Z');
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Two with rows of their own, and one without any. */
let viewer: Viewer;
let neighbour: Viewer;
let stranger: Viewer;

const LISTS = {
  sshKeys: { type: 'SshKey', rows: 'edges { node ROW }' },
  oauthApps: { type: 'OAuthApp', rows: 'edges { node ROW }' },
  externalAuthLinks: { type: 'ExternalAuthLink', rows: 'ROW' },
};
type List = keyof typeof LISTS;
const lists = Object.keys(LISTS) as List[];

const operationOf = (list: List, row: string, args = '') =>
  `{ viewer { ${list}${args} { ${LISTS[list].rows.replace('{ node ROW }', `{ node { ${row} } }`).replace(/^ROW$/, row)} } } }`;

/** PostgreSQL stores all characters but U+0000, and no halves of any. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', '"', '\\', '\u2028\u2029', '\u001e\u001f\u007f', "';--", '🔑\n\t\b'),
  )
  .map((value) => value.replaceAll('\0', '').toWellFormed());
const instant = fc.oneof(
  fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  // Trailing zeros, and none.
  fc.constantFrom(...[0, 1, 10, 120, 999].map((ms) => new Date(Date.UTC(2020, 0, 1) + ms))),
);
/** Where a key's state changes, and a secret ends. */
const EDGES = [-1, 0, 1, 7 * DAY_MS - 1, 7 * DAY_MS, 7 * DAY_MS + 1].map(
  (ms) => new Date(NOW.getTime() + ms),
);
const maybeInstant = fc.option(instant);
const one = <Value>(arbitrary: fc.Arbitrary<Value>): Value => fc.sample(arbitrary, 1)[0] as Value;

beforeAll(async () => {
  runtime = { ...gateway.runtime, clock: () => NOW };
  const { db } = runtime;
  viewer = await viewerOf(gateway);
  neighbour = await viewerOf(gateway);
  stranger = await viewerOf(gateway);
  const userId = viewer.user.id;
  const other = neighbour.user;

  for (let n = 0; n < 30; n += 1) {
    // Each edge is the viewer's once.
    const edge = n % 5 === 0 ? EDGES[n / 5] : undefined;
    await db.sshKey.create({
      data: {
        userId: n % 5 === 4 ? other.id : userId,
        title: one(text),
        type: one(text),
        publicKey: one(text),
        comment: n % 3 === 0 ? '' : one(text),
        bits: one(fc.nat()),
        blobHash: randomBytes(32),
        usage: one(fc.constantFrom('AUTH', 'SIGNING', 'AUTH_AND_SIGNING')),
        expiresAt: edge ?? one(maybeInstant),
        lastUsedAt: one(maybeInstant),
        createdAt: one(instant),
        updatedAt: one(instant),
      },
    });
    const { id: appId } = await db.oAuthApp.create({
      data: {
        userId: n % 5 === 4 ? other.id : userId,
        name: one(text),
        description: one(text),
        homepageUrl: one(text),
        redirectUris: one(fc.array(text, { maxLength: 3 })),
        standalone: one(fc.boolean()),
        createdAt: one(instant),
        updatedAt: one(instant),
      },
    });
    // A rotation leaves two: the current one, and one that works for a while.
    const ends = edge ? [null, edge] : one(fc.constantFrom([null], [null, one(instant)], [], [one(instant)]));
    for (const expiresAt of ends) {
      await db.oAuthAppSecret.create({
        data: {
          appId,
          secret: 'x',
          secretHash: randomBytes(32),
          prefix: one(text),
          expiresAt,
          lastUsedAt: one(maybeInstant),
          createdAt: one(instant),
        },
      });
    }
    await db.externalAuthLink.create({
      data: {
        userId: n % 5 === 4 ? other.id : userId,
        providerId: `p${n}${one(text)}`,
        accessToken: 'x',
        refreshToken: one(fc.option(text)),
        expiresAt: one(maybeInstant),
        refreshFailureReason: one(fc.option(text)),
        createdAt: one(instant),
        updatedAt: one(instant),
      },
    });
  }
  // What other programs may have written: finer times than JavaScript's, and no list.
  await db.$executeRaw`UPDATE ssh_keys SET created_at = created_at + interval '789 microseconds' WHERE bits % 2 = 0`;
  await db.$executeRaw`UPDATE oauth_apps SET redirect_uris = NULL WHERE NOT standalone`;
});

/** One runtime for all: what is made once for a runtime is made once here, too. */
let runtime: Context['runtime'];
const newContext = (): Context => ({ runtime, viewer, requestId: 'request' });

type Variables = Record<string, unknown>;

/** The answer of the compiled query, and whether PostgreSQL wrote any rows of it. */
async function runCompiled(query: string, variables: Variables = {}) {
  const document = parse(query);
  const found = findOperation(document);
  const coerced = found && coerceVariables(schema, found, variables);
  if (!found || !coerced) throw new Error(`No query: ${query}`);
  const before = gateway.statements.length;
  const run = compileQuery(compiled, document, found.operation, coerced);
  const answer = await run(newContext(), coerced).catch(() => null);
  return { answer, written: gateway.statements.slice(before).some((sql) => sql.includes('json_rows')) };
}

/** Compares the two, and tells whether PostgreSQL wrote any rows. */
async function compare(query: string, variables: Variables = {}): Promise<boolean> {
  const document = parse(query);
  const expected = await execute({ schema, document, contextValue: newContext(), variableValues: variables });
  expect(expected.errors).toBeUndefined();
  const { answer, written } = await runCompiled(query, variables);
  expect(answer).toBe(JSON.stringify(expected.data));
  return written;
}

/** Only a resolver knows these: what is encrypted, and what somebody else has to be asked. */
const RESOLVED = {
  sshKeys: [],
  oauthApps: ['clientSecret'],
  externalAuthLinks: ['provider', 'authenticated', 'validation', 'validateError', 'account', 'installations'],
} satisfies Record<List, string[]>;

const selectionOf = (type: GraphQLObjectType, without: string[] = []): string[] =>
  fieldsOf(type)
    .filter(({ name }) => !without.includes(name))
    .map(({ name, type }) => {
      const below = getNamedType(type);
      return isLeafType(below)
        ? name
        : `${name} { __typename ${selectionOf(below as GraphQLObjectType, ['link', 'account']).join(' ')} }`;
    });

const rowTypeOf = (list: List) => schema.getType(LISTS[list].type) as GraphQLObjectType;

describe.each(lists)('the rows of %s', (list) => {
  it.each(fieldsOf(rowTypeOf(list)).map(({ name }) => name))(
    'are right in %s, and come by the right way',
    async (name) => {
      const others = fieldsOf(rowTypeOf(list)).filter((field) => field.name !== name);
      const [selection = ''] = selectionOf(
        rowTypeOf(list),
        others.map((field) => field.name),
      );
      const isWritten = !(RESOLVED[list] as string[]).includes(name);
      if (isWritten) expect(await compare(operationOf(list, selection))).toBe(true);
      else expect(await runCompiled(operationOf(list, selection))).toMatchObject({ written: false });
    },
  );

  it('are right in every selection', async () => {
    const plain = selectionOf(rowTypeOf(list), RESOLVED[list]);
    const part = fc.oneof(
      fc.constantFrom(...plain, '__typename'),
      fc
        .tuple(fc.constantFrom('a', 'B_1', '__proto__', 'constructor', '_'), fc.nat())
        .map(([alias, n]) => `${alias}${n % 3}: ${plain[n % plain.length]}`),
      fc
        .constantFrom(...plain)
        .map((field) => `... on Node { id } ... on ${LISTS[list].type} { ${field} } ...Part`),
      fc
        .tuple(
          fc.constantFrom(...plain),
          fc.constantFrom('@skip(if: true)', '@include(if: false)', '@skip(if: false)'),
        )
        .map(([field, directive]) => field.replace(/^\w+/, (name) => `${name} ${directive}`)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), async (parts) => {
        // Two fields of one name may not differ.
        const names = parts.map((one) => /^\w+:/.exec(one)?.[0]);
        fc.pre(names.every((name, i) => !name || names.indexOf(name) === i));
        const query = operationOf(list, parts.join(' '));
        const fragment = query.includes('...Part')
          ? ` fragment Part on ${LISTS[list].type} { id ${plain[0]} }`
          : '';
        expect(await compare(query + fragment)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(['sshKeys', 'oauthApps'] as const)('a page of %s', (list) => {
  it('is right wherever it lies', async () => {
    const { data } = (await execute({
      schema,
      document: parse(`{ viewer { ${list}(first: 100) { edges { cursor } } } }`),
      contextValue: newContext(),
    })) as unknown as { data: { viewer: Record<string, { edges: { cursor: string }[] }> } };
    const cursors = data.viewer[list]?.edges.map(({ cursor }) => cursor) ?? [];
    expect(cursors).toHaveLength(24);
    const nowhere = Buffer.from(`GPC:S:${randomUUID()}`).toString('base64');
    const cursor = fc.option(fc.constantFrom(...cursors, nowhere));
    const size = fc.option(fc.integer({ min: 1, max: 30 }));
    const own = {
      sshKeys: fc.record({ state: fc.constantFrom(null, 'ACTIVE', 'EXPIRED') }, { requiredKeys: [] }),
      oauthApps: fc.record({ offset: fc.option(fc.nat(25)) }, { requiredKeys: [] }),
    };
    const forwards = fc
      .tuple(fc.record({ first: size, after: cursor }, { requiredKeys: [] }), own[list])
      .map(([page, own]): Variables => ({ ...page, ...own }));
    const backwards: fc.Arbitrary<Variables> = fc.record(
      { last: size, before: cursor },
      { requiredKeys: [] },
    );
    const edges = fc.constantFrom(
      'edges { cursor node { uuid } }',
      'edges { n: node { id } c: cursor }',
      'e: edges { node { createdAt } cursor }',
      'edges { __typename a: cursor node { id } t: __typename b: cursor }',
    );
    const others = fc.subarray([
      'totalCount',
      'pageInfo { __typename hasNextPage hasPreviousPage startCursor endCursor }',
      '__typename',
    ]);
    const rare = fc.constantFrom(
      [],
      [],
      [],
      ['twice: edges { node { id } }'],
      ['edges { n: node { id } m: node { id } }'],
    );
    const selection = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.tuple(edges, others, rare).map(([edges, others, rare]) => [edges, ...others, ...rare]),
      },
      { weight: 1, arbitrary: others.map((others) => ['__typename', ...others]) },
    );
    let written = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 2, arbitrary: forwards }, backwards),
        selection,
        async (args, parts) => {
          const { offset, after } = args;
          fc.pre(offset == null || after == null);
          const types = {
            first: 'Int',
            last: 'Int',
            offset: 'Int',
            after: 'String',
            before: 'String',
            state: 'SshKeyState',
          };
          const declared = Object.keys(args).map((name) => `$${name}: ${types[name as keyof typeof types]}`);
          const passed = Object.keys(args).map((name) => `${name}: $${name}`);
          const inBrackets = (list: string[]) => (list.length > 0 ? `(${list.join(', ')})` : '');
          const query = `query ${inBrackets(declared)} { viewer { ${list}${inBrackets(passed)} { ${parts.join(' ')} } } }`;
          if (await compare(query, args)) written += 1;
        },
      ),
      { numRuns: 150 },
    );
    expect(written).toBeGreaterThan(5);
  });
});

describe('links', () => {
  it('are shown as they are after their providers were asked, when the operation asks any', async () => {
    const stored = 'externalAuthLinks { id expiresAt updatedAt }';
    expect(await compare(`{ viewer { ${stored} } }`)).toBe(true);
    expect(await compare(`{ viewer { ${stored} asked: externalAuthLinks { authenticated } } }`)).toBe(false);
  });
});

it('a row of very many fields is right', async () => {
  const many = Array.from({ length: 600 }, (_, n) => `f${n}: expiresAt`).join(' ');
  expect(await compare(operationOf('sshKeys', many))).toBe(true);
});

it('ever new selections are answered, and fill nothing', async () => {
  for (let n = 0; n < 120; n += 1) expect(await compare(operationOf('sshKeys', `f${n}: title`))).toBe(true);
});

it('show each viewer their own rows, however many ask at once', async () => {
  const query = `{ viewer { uuid
    sshKeys { totalCount edges { node { title } } }
    oauthApps { totalCount edges { node { name secrets { prefix } } } }
    externalAuthLinks { providerId } } }`;
  const document = parse(query);
  const { operation } = findOperation(document) as Operation;
  const run = compileQuery(compiled, document, operation, {});
  const crowd = Array.from({ length: 90 }, (_, n) =>
    n % 3 === 0 ? stranger : n % 3 === 1 ? viewer : neighbour,
  );
  const expected = await Promise.all(
    [stranger, viewer, neighbour].map(async (viewer) => {
      const { data, errors } = await execute({ schema, document, contextValue: { ...newContext(), viewer } });
      expect(errors).toBeUndefined();
      return JSON.stringify(data);
    }),
  );
  expect(new Set(expected).size).toBe(3);
  const answers = await Promise.all(crowd.map((viewer) => run({ ...newContext(), viewer }, {})));
  expect(answers).toEqual(crowd.map((_, n) => expected[n % 3]));
});
