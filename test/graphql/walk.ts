import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
} from 'graphql';
import { schema } from '../../src/graphql/schema.ts';

/** A field of the schema, and how a query reaches it. */
export interface ReachableField {
  /** Such as `User.sshKeys`. */
  coordinate: string;
  field: GraphQLField<unknown, unknown>;
  /** The field's selection, with its arguments, to a whole operation. */
  operation: (selection: string, variables?: string) => string;
}

/** The way to each type that has fields with arguments. A new one has to be added. */
const WAYS: Record<string, (selection: string) => string> = {
  Query: (selection) => selection,
  User: (selection) => `viewer { ${selection} }`,
};

/** The tests of mutations and of subscriptions are others. */
const OTHER_ROOTS = new Set(['Mutation', 'Subscription']);

/** Every field of the read side that takes arguments. */
export function fieldsWithArguments(): ReachableField[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !type.name.startsWith('__') && !OTHER_ROOTS.has(type.name))
    .flatMap((type) => fieldsOf(type).map((field) => ({ type, field })))
    .filter(({ field }) => field.args.length > 0)
    .map(({ type, field }) => {
      const way = WAYS[type.name];
      if (!way)
        throw new Error(`How does a query reach ${type.name}.${field.name}? Add a way to ${type.name}.`);
      return {
        coordinate: `${type.name}.${field.name}`,
        field,
        operation: (selection, variables = '') => `query ${variables} { ${way(selection)} }`,
      };
    });
}

export function mutationFields(): GraphQLField<unknown, unknown>[] {
  return Object.values(schema.getMutationType()?.getFields() ?? {});
}

/** The fields of a mutation's input. */
export function inputFieldsOf(mutation: GraphQLField<unknown, unknown>): GraphQLInputField[] {
  const type = getNamedType(mutation.args[0]?.type);
  if (!isInputObjectType(type)) throw new Error(`${mutation.name} takes no input object.`);
  return Object.values(type.getFields());
}

export function fieldsOf(type: GraphQLNamedType): GraphQLField<unknown, unknown>[] {
  return isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
}

/** The types that `node` reads. */
export function nodeTypes(): string[] {
  const node = schema.getType('Node');
  if (!isInterfaceType(node)) throw new Error('There is no interface Node.');
  return schema.getPossibleTypes(node).map(({ name }) => name);
}

export interface SelectionOptions {
  /** Arguments by the field's coordinate, such as `(first: 50)`. A field that needs some and gets none is left out. */
  args?: (coordinate: string, args: readonly GraphQLArgument[]) => string;
  /** Coordinates to leave out. */
  without?: string[];
}

/**
 * Selects everything below a type: all fields, of all types that may stand there, until a type comes again.
 *
 * @returns with its braces; empty for a leaf
 */
export function everythingOf(
  type: GraphQLOutputType,
  options: SelectionOptions = {},
  above: string[] = [],
): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  const within = [...above, named.name];
  if (isUnionType(named) || isInterfaceType(named)) {
    const parts = schema
      .getPossibleTypes(named)
      .filter(({ name }) => !above.includes(name))
      .map((possible) => `... on ${possible.name} ${everythingOf(possible, options, within)}`);
    return `{ __typename ${parts.join(' ')} }`;
  }
  const parts = fieldsOf(named).flatMap((field) => {
    const coordinate = `${named.name}.${field.name}`;
    const below = getNamedType(field.type);
    if (options.without?.includes(coordinate) || within.includes(below.name)) return [];
    const args = options.args?.(coordinate, field.args) ?? '';
    if (!args && field.args.some(isRequiredArgument)) return [];
    return [`${field.name}${args} ${everythingOf(field.type, options, within)}`];
  });
  return `{ __typename ${parts.join(' ')} }`;
}
