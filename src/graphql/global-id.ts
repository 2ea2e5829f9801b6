import type { GraphQLObjectType } from 'graphql';
import { InvalidInput } from '../errors.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Whether what is of a type has a global id. */
export function isNodeType(type: GraphQLObjectType): boolean {
  return type.getInterfaces().some(({ name }) => name === 'Node');
}

/** A Relay global id: base64 of `Type:uuid`. */
export function encodeGlobalId(typename: string, id: string | bigint | number): string {
  return Buffer.from(`${typename}:${id}`).toString('base64');
}

/** @throws InvalidInput when the text is not a global id that this service could have issued */
export function decodeGlobalId(globalId: string): { typename: string; id: string } {
  const [, typename, id] =
    Buffer.from(globalId, 'base64')
      .toString('utf8')
      .match(/^([A-Za-z]{1,64}):(.{36})$/) ?? [];
  // The comparison refuses what base64 decoding forgives: an id has one spelling, so caches may compare it.
  if (!typename || !id || !isUuid(id) || encodeGlobalId(typename, id) !== globalId) {
    throw new InvalidInput([
      { path: ['id'], message: 'The id is malformed: pass a global id as this API returned it.' },
    ]);
  }
  return { typename, id: id.toLowerCase() };
}
