import {
  type GraphQLNullableType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  getNamedType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
} from 'graphql';
import { columnNameOf } from '../db/stored-rows.ts';
import { collectFields, fieldStart, type Nodes, selectionSetsOf } from './collect-fields.ts';
import { isNodeType } from './global-id.ts';

/**
 * What a field's `extensions` hold when PostgreSQL can compute what its resolver does. `id`, `__typename` and exposed
 * columns need nothing. A test walks the schema and compares the two.
 */
export interface InSql {
  /** An SQL expression of the value, of the type of a column. `clock.now` is the time. */
  sql?: (row: string) => string;
  /** The rows of another table that the field lists. */
  sqlRows?: { name: string; from: (row: string) => string };
  /** Whether the value is what SQL says in this operation. @default always */
  sqlWhen?: (info: GraphQLResolveInfo) => boolean;
}

/** JSON that is known beforehand, or the text of an SQL expression. */
type Piece = { json: string } | { sql: string };

/**
 * An SQL expression that writes a row as JSON: what a selection shows of it, byte for byte as resolvers would.
 *
 * @param type of the row
 * @param row how the statement calls it
 * @returns null when the selection has a field that only its resolver can compute
 */
export function sqlJsonOf(
  info: GraphQLResolveInfo,
  type: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
  row: string,
): string | null {
  const fields = [...collectFields(info, type, sets)];
  const pieces: Piece[] = [];
  for (const [i, [key, nodes]] of fields.entries()) {
    const value = fieldPieces(info, type, nodes, row);
    if (!value) return null;
    pieces.push({ json: fieldStart(key, i) }, ...value);
  }
  return joined([...pieces, { json: fields.length === 0 ? '{}' : '}' }]);
}

function fieldPieces(
  info: GraphQLResolveInfo,
  type: GraphQLObjectType,
  nodes: Nodes,
  row: string,
): Piece[] | null {
  const name = nodes[0].name.value;
  if (name === TypeNameMetaFieldDef.name) return [{ json: JSON.stringify(type.name) }];
  if (name === 'id' && isNodeType(type)) return globalIdPieces(type.name, row);

  const field = type.getFields()[name];
  if (!field || field.args.length > 0) return null;
  const { pothosExposedField: exposed } = field.extensions;
  const { sql, sqlRows, sqlWhen } = field.extensions as InSql;
  if (sqlWhen && !sqlWhen(info)) return null;
  if (sqlRows) return listPieces(info, getNamedType(field.type), nodes, sqlRows, row);
  if (sql) return valuePieces(field.type, sql(row));
  return typeof exposed === 'string' ? valuePieces(field.type, `${row}.${columnNameOf(exposed)}`) : null;
}

/** `encode` breaks lines of more than 76 characters, which a type's name would have to be quite long for. */
function globalIdPieces(typename: string, row: string): Piece[] {
  return quoted(`encode(convert_to('${typename}:' || ${row}.id, 'UTF8'), 'base64')`);
}

function listPieces(
  info: GraphQLResolveInfo,
  type: GraphQLOutputType,
  nodes: Nodes,
  { name, from }: NonNullable<InSql['sqlRows']>,
  row: string,
): Piece[] | null {
  if (!isObjectType(type)) return null;
  const item = sqlJsonOf(info, type, selectionSetsOf(nodes), name);
  if (item === null) return null;
  return [{ json: '[' }, { sql: `array_to_string(ARRAY(SELECT ${item} ${from(row)}), ',')` }, { json: ']' }];
}

function valuePieces(type: GraphQLOutputType, sql: string): Piece[] | null {
  if (isNonNullType(type)) return presentPieces(type.ofType, sql);
  const pieces = presentPieces(type, sql);
  return pieces && [{ sql: `CASE WHEN ${sql} IS NULL THEN 'null' ELSE ${joined(pieces)} END` }];
}

function presentPieces(type: GraphQLNullableType, sql: string): Piece[] | null {
  if (isListType(type)) {
    // A list may be stored as NULL: Prisma makes such columns.
    return getNamedType(type).name === 'String' ? [{ sql: `coalesce(to_json(${sql})::text, '[]')` }] : null;
  }
  // The values of enums are called in the database as they are in GraphQL.
  if (isEnumType(type)) return quoted(`${sql}::text`);
  switch (type.toString()) {
    case 'Boolean':
    case 'Int':
      return [{ sql: `${sql}::text` }];
    case 'UUID':
      return quoted(`${sql}::text`);
    case 'DateTime':
      return quoted(`to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
    case 'String':
      return [{ sql: `to_json(${sql})::text` }];
    default:
      return null;
  }
}

/** What needs no escape in JSON. */
function quoted(sql: string): Piece[] {
  return [{ json: '"' }, { sql }, { json: '"' }];
}

function joined(pieces: Piece[]): string {
  const known: Piece[] = [];
  for (const piece of pieces) {
    const last = known.at(-1);
    if (last && 'json' in last && 'json' in piece) known[known.length - 1] = { json: last.json + piece.json };
    else known.push(piece);
  }
  return joinedInHalves(known.map((piece) => ('sql' in piece ? piece.sql : literal(piece.json))));
}

/** The operator takes less time than `concat`. In halves, it copies less and is not nested too deeply for PostgreSQL. */
function joinedInHalves(texts: string[]): string {
  if (texts.length <= 2) return texts.join(' || ');
  const half = texts.length >> 1;
  return `(${joinedInHalves(texts.slice(0, half))}) || (${joinedInHalves(texts.slice(half))})`;
}

/** Names of GraphQL have no quotes in them, yet nothing of a request may end a literal. */
function literal(json: string): string {
  return `'${json.replaceAll("'", "''")}'`;
}
