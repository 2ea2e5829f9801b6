import { readFileSync } from 'node:fs';
import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { printedSchema } from '../../src/graphql/print-schema.ts';
import { schema } from '../../src/graphql/schema.ts';

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);
const objects = types.filter((type): type is GraphQLObjectType => isObjectType(type));
const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});

/** All that has a description, by its coordinate. */
function describedParts(type: GraphQLNamedType): [coordinate: string, description: string][] {
  const parts: [string, string | null | undefined][] = [[type.name, type.description]];
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      parts.push([`${type.name}.${field.name}`, field.description]);
      for (const arg of field.args) parts.push([`${type.name}.${field.name}(${arg.name}:)`, arg.description]);
    }
  }
  if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) {
      parts.push([`${type.name}.${field.name}`, field.description]);
    }
  }
  if (isEnumType(type)) {
    for (const value of type.getValues()) parts.push([`${type.name}.${value.name}`, value.description]);
  }
  return parts.map(([coordinate, description]) => [coordinate, description ?? '']);
}

/** Letters and digits only, so that a description that repeats the name is found out. */
const plain = (text: string) =>
  text
    .toLowerCase()
    .replace(/^(?:the|a|an) /, '')
    .replace(/[^a-z0-9]/g, '');

describe('schema.graphql', () => {
  it('is what the code says; run npm run schema', () => {
    expect(readFileSync('schema.graphql', 'utf8')).toBe(printedSchema());
  });
});

describe('every type, field, argument and enum value', () => {
  it('has a description that says more than its name', () => {
    const poor = types.flatMap(describedParts).filter(([coordinate, description]) => {
      const name = coordinate.replace(/.*[.(]/, '').replace(/:\)$/, '');
      return description.length < 10 || plain(description) === plain(name);
    });
    expect(poor).toEqual([]);
  });

  it('is described in whole sentences, without the words of its makers', () => {
    const odd = types
      .flatMap(describedParts)
      .filter(
        ([, description]) =>
          !/^[A-Z`]/.test(description) || !/[.:`]$/.test(description) || /TODO|FIXME/.test(description),
      );
    expect(odd).toEqual([]);
  });
});

describe('every mutation', () => {
  it('takes one input, and answers a union of its payload and declared errors', () => {
    for (const { name, args, type } of mutations) {
      const Name = name.charAt(0).toUpperCase() + name.slice(1);
      expect(args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([`input: ${Name}Input!`]);
      expect(String(type)).toBe(`${Name}Result!`);
      const union = getNamedType(type);
      if (!isUnionType(union)) throw new Error(`${name} answers no union.`);
      const members = union.getTypes();
      expect(members.map((member) => member.name)).toContain(`${Name}Payload`);
      const errors = members.filter((member) => member.name !== `${Name}Payload`);
      expect(errors.length, `${name} declares no error`).toBeGreaterThan(0);
      for (const error of errors) {
        expect(
          error.getInterfaces().map((implemented) => implemented.name),
          error.name,
        ).toContain('UserError');
      }
    }
  });
});

describe('nullability', () => {
  const fields = objects.flatMap((type) =>
    Object.values(type.getFields()).map((field): [string, GraphQLField<unknown, unknown>] => [
      `${type.name}.${field.name}`,
      field,
    ]),
  );

  it('lists and their items are never null, but for nodes that are not there', () => {
    for (const [coordinate, { type }] of fields) {
      const list = getNullableType(type);
      if (!isListType(list)) continue;
      if (coordinate === 'Query.nodes') {
        expect(String(type)).toBe('[Node]!');
        continue;
      }
      expect(isNonNullType(list.ofType), `${coordinate}: ${type}`).toBe(true);
      // Null where the fault lies in no argument.
      if (!coordinate.endsWith('.path')) expect(isNonNullType(type), `${coordinate}: ${type}`).toBe(true);
    }
  });

  it('ids, uuids, totals and edges are never null', () => {
    for (const [coordinate, { name, type }] of fields) {
      if (/^(?:id|uuid|createdAt|updatedAt|totalCount|pageInfo|edges|cursor|node)$/.test(name)) {
        if (coordinate !== 'Query.node') expect(isNonNullType(type), coordinate).toBe(true);
      }
    }
  });

  it('what is read by a key is null when there is no such thing', () => {
    const byKey = fields.filter(
      ([coordinate, { args, type }]) =>
        !coordinate.startsWith('Mutation.') &&
        args.some((arg) => isNonNullType(arg.type)) &&
        !isListType(getNullableType(type)),
    );
    expect(byKey.length).toBeGreaterThan(0);
    for (const [coordinate, { type }] of byKey) expect(isNonNullType(type), coordinate).toBe(false);
  });
});

describe('lists', () => {
  it('that page do so as Relay asks, with a total', () => {
    for (const type of objects) {
      for (const { name, args, type: answer } of Object.values(type.getFields())) {
        const connection = getNamedType(answer);
        if (!connection.name.endsWith('Connection')) continue;
        const names = args.map((arg) => arg.name);
        expect(names, name).toEqual(expect.arrayContaining(['after', 'before', 'first', 'last']));
        expect(Object.keys((connection as GraphQLObjectType).getFields()).sort(), connection.name).toEqual([
          'edges',
          'pageInfo',
          'totalCount',
        ]);
      }
    }
  });
});
