import fc from 'fast-check';
import {
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import { encodeGlobalId } from '../../src/graphql/global-id.ts';
import { schema } from '../../src/graphql/schema.ts';
import { fieldsOf } from './walk.ts';

/** A request's body, as clients send it: mostly right, and wrong in every way now and then. */
export interface RandomBody {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

const maybe = fc.boolean();
const NOBODY = '0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70';
const VALUES: Record<string, string[]> = {
  Int: ['1', '3', '0', '-1', '201', '99999999999', '"1"', '$int', 'null'],
  String: ['"a"', '""', '"SHA256:nothing"', '$string', '7', 'null', '"\\u0000"'],
  ID: [
    JSON.stringify(encodeGlobalId('User', NOBODY)),
    JSON.stringify(encodeGlobalId('SshKey', NOBODY)),
    '"not an id"',
    '$string',
    '5',
    'null',
  ],
  UUID: [
    '"0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70"',
    '"0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b71"',
    '"x"',
    '$string',
    'null',
  ],
};

/** Selections below a type, to a depth. Names that do not exist are among them, rarely. */
function selection(type: GraphQLNamedType, depth: number): fc.Arbitrary<string> {
  const names = isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [];
  const fields = fieldsOf(type).filter(({ type }) => depth > 0 || isLeafType(getNamedType(type)));
  const oneField =
    fields.length === 0
      ? fc.constant('__typename')
      : fc.constantFrom(...fields).chain((field) => fieldSelection(field, depth));
  const part = fc.oneof(
    { weight: 60, arbitrary: oneField },
    { weight: 3, arbitrary: fc.constant('__typename') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('unknownField', '...Missing', '... on Missing { id }', 'id: __typename'),
    },
    ...(names.length > 0 && depth > 0
      ? [
          {
            weight: 8,
            arbitrary: fc
              .constantFrom(...names)
              .chain((name) =>
                selection(schema.getType(name) as GraphQLNamedType, depth - 1).map(
                  (text) => `... on ${name} ${text}`,
                ),
              ),
          },
        ]
      : []),
  );
  // A field twice, with other arguments, is a conflict.
  const nameOf = (text: string) => /^\w+/.exec(text)?.[0] ?? text;
  return fc
    .uniqueArray(part, { minLength: 1, maxLength: 5, selector: nameOf })
    .map((parts) => `{ ${parts.join(' ')} }`);
}

function fieldSelection(field: GraphQLField<unknown, unknown>, depth: number): fc.Arbitrary<string> {
  const below = getNamedType(field.type);
  const args = fc
    .tuple(...field.args.map((arg) => argument(arg)))
    .map((given) => given.filter((text) => text !== ''))
    .map((given) => (given.length > 0 ? `(${given.join(', ')})` : ''));
  const directive = fc.oneof(
    { weight: 10, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '@include(if: $bool)',
        '@skip(if: $bool)',
        '@skip(if: true)',
        '@skip(if: 1)',
      ),
    },
  );
  const alias = fc.oneof(
    { weight: 30, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom('a: ', 'b: ', 'id: ') },
  );
  const inner = isLeafType(below) ? fc.constant('') : selection(below, depth - 1);
  return fc
    .tuple(alias, args, directive, inner)
    .map(([alias, args, directive, inner]) => `${alias}${field.name}${args} ${directive} ${inner}`);
}

function argument({ name, type }: GraphQLField<unknown, unknown>['args'][number]): fc.Arbitrary<string> {
  const named = getNamedType(type);
  const values = isEnumType(named)
    ? [...named.getValues().map((value) => value.name), 'WRONG', '"ACTIVE"', '$string']
    : (VALUES[named.name] ?? ['{}', 'null']);
  const nullable = isNonNullType(type) ? type.ofType : type;
  // The first values are right.
  const value = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...values.slice(0, 2)) },
    { weight: 1, arbitrary: fc.constantFrom(...values) },
  );
  const text = isListType(nullable)
    ? fc.array(value, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`)
    : value;
  const given = text.map((text) => `${name}: ${text}`);
  return isNonNullType(type)
    ? fc.oneof({ weight: 20, arbitrary: given }, { weight: 1, arbitrary: fc.constant('') })
    : fc.oneof({ weight: 8, arbitrary: fc.constant('') }, { weight: 1, arbitrary: given });
}

const DECLARED = { int: 'Int', string: 'String', bool: 'Boolean! = false' } as const;

const variables = fc.record(
  {
    int: fc.constantFrom<unknown>(1, 5, 2, 3, 4, -1, 500, '5', null, 1.5),
    string: fc.constantFrom<unknown>('x', '', null, 7, 'U2hLZXk6MQ', ['a'], { a: 1 }),
    bool: fc.constantFrom<unknown>(true, false, true, false, true, false, 'yes'),
    unused: fc.constantFrom<unknown>(1, null, { deep: [{}] }),
  },
  { requiredKeys: [] },
);

/** Queries against the schema, valid for the most part. */
export const randomBody: fc.Arbitrary<RandomBody> = fc
  .record({
    text: selection(schema.getQueryType() as GraphQLNamedType, 4),
    declareAll: fc.oneof(
      { weight: 9, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    named: maybe,
    variables: fc.option(variables, { nil: undefined }),
    operationName: fc.oneof(
      { weight: 12, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: fc.constant('Q') },
      { weight: 1, arbitrary: fc.constantFrom('Other', '') },
    ),
    second: fc.oneof(
      { weight: 12, arbitrary: fc.constant('') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(' query Other { __typename }', ' fragment F on User { id }', ' }'),
      },
    ),
  })
  .map(({ text, declareAll, named, variables, operationName, second }) => {
    const used = Object.entries(DECLARED).filter(([name]) => text.includes(`$${name}`));
    const declared = declareAll ? used.map(([name, type]) => `$${name}: ${type}`) : [];
    const head = declared.length > 0 ? `(${declared.join(', ')})` : '';
    const query = head || named ? `query ${named ? 'Q' : ''}${head} ${text}` : text;
    return { query: query + second, variables, operationName };
  });
