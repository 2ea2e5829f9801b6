import { GraphQLError, Kind, type ValueNode } from 'graphql';
import { builder } from './builder.ts';
import { parseInstant } from './date-time.ts';
import { isUuid } from './global-id.ts';

builder.scalarType('DateTime', {
  description:
    'An instant in UTC, such as `2030-01-31T12:00:00Z`. Inputs may carry an offset, omit the zone (then UTC), or be a date alone (then midnight UTC).',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: (value) => (value instanceof Date ? value : new Date(String(value))).toISOString(),
  parseValue: toDate,
  parseLiteral: (node) => toDate(stringOf(node)),
});

builder.scalarType('UUID', {
  description: 'A UUID, such as `0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70`.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc9562',
  serialize: (value) => String(value),
  parseValue: toUuid,
  parseLiteral: (node) => toUuid(stringOf(node)),
});

builder.scalarType('URL', {
  description: 'An absolute URL.',
  specifiedByURL: 'https://url.spec.whatwg.org/',
  serialize: (value) => String(value),
  parseValue: toUrl,
  parseLiteral: (node) => toUrl(stringOf(node)),
});

builder.scalarType('JSONObject', {
  description: 'A JSON object whose fields somebody else decides, such as a provider. Only in answers.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259#section-4',
  serialize: (value) => value,
  parseValue: () => {
    throw badInput('JSONObject is for answers only.');
  },
});

function stringOf(node: ValueNode): string | null {
  return node.kind === Kind.STRING ? node.value : null;
}

function toDate(value: unknown): Date {
  const date = typeof value === 'string' ? parseInstant(value) : null;
  if (!date) throw badInput('DateTime takes a string such as "2030-01-31T12:00:00Z".');
  return date;
}

function toUuid(value: unknown): string {
  if (typeof value !== 'string' || !isUuid(value)) {
    throw badInput('UUID takes a string such as "0198a1f2-7c4e-7b1a-9a55-3f2d8c6e1b70".');
  }
  return value.toLowerCase();
}

function toUrl(value: unknown): string {
  if (typeof value !== 'string' || !URL.canParse(value)) throw badInput('URL takes an absolute URL.');
  return value;
}

function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
