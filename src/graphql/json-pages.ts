import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import { type JsonRow, type JsonShape, jsonShape, type OwnedRows } from '../db/owned-rows.ts';
import type { Runtime } from '../runtime.ts';
import { collectFields, fieldStart, selectionSetsOf } from './collect-fields.ts';
import { Json } from './compile.ts';
import type { Context } from './context.ts';
import { cursorOf, type PageArguments, pageOf, wholeListOf } from './paging.ts';
import { sqlJsonOf } from './sql-json.ts';

// In compiled queries the rows of a list come as JSON from PostgreSQL, which writes what the selection shows of them.
// That takes it less than to write whole rows, and spares this process to read them, to make objects of them, to
// complete each field, and to write it all again.

type User = { id: string };
type Resolve = (user: User, args: PageArguments, context: Context, info: GraphQLResolveInfo) => unknown;
type Own = (runtime: Runtime) => OwnedRows<unknown>;

/** What the `extensions` of a list of rows hold when its rows may come as JSON. */
export interface InJson {
  /** @param resolve for pages and selections of which PostgreSQL cannot write all */
  inJson?: (resolve: Resolve) => Resolve;
}

/** For a field that is a connection to the rows of a user. */
export function connectionInJson(own: Own): InJson {
  const planOf = rememberByNodes((info) => planConnection(info));
  return {
    inJson: (resolve) => (user, args, context, info) => {
      const page = pageOf(args, user.id);
      const plan = page && planOf(info);
      if (!plan) return resolve(user, args, context, info);
      const read = own(context.runtime).jsonPage(plan.shape);
      return read(page).then(({ rows, total }) => {
        const shown = rows.slice(0, page.take - 1);
        const [first, last] = [shown[0], shown.at(-1)];
        return {
          totalCount: () => total,
          edges: new Json(`[${shown.map(plan.writeEdge).join(',')}]`),
          pageInfo: {
            hasNextPage: rows.length === page.take,
            hasPreviousPage: args.after != null,
            startCursor: first ? cursorOf(first.id) : null,
            endCursor: last ? cursorOf(last.id) : null,
          },
        };
      });
    },
  };
}

interface ConnectionPlan {
  shape: JsonShape;
  writeEdge: (row: JsonRow) => string;
}

/** Null when PostgreSQL cannot write the rows, or they are selected more than once, by several names. */
function planConnection(info: GraphQLResolveInfo): ConnectionPlan | null {
  const connection = { type: getNamedType(info.returnType), sets: selectionSetsOf(info.fieldNodes) };
  const [edges, ...otherEdges] = selectionsOf(info, connection, 'edges');
  const [node, ...otherNodes] = edges ? selectionsOf(info, edges, 'node') : [];
  const row = node && rowJsonOf(info, node);
  if (!edges || !row || otherEdges.length > 0 || otherNodes.length > 0) return null;
  const withTotal = selectionsOf(info, connection, 'totalCount').length > 0;
  return { shape: jsonShape(row, withTotal), writeEdge: createWriteEdge(info, edges) };
}

function createWriteEdge(info: GraphQLResolveInfo, { type, sets }: Selection): ConnectionPlan['writeEdge'] {
  const fields = [...collectFields(info, type as GraphQLObjectType, sets)].map(([key, [{ name }]], i) => ({
    start: fieldStart(key, i),
    name: name.value,
  }));
  return ({ id, json }) => {
    let text = '';
    for (const { start, name } of fields) {
      const value = name === 'cursor' ? cursorOf(id) : type.name;
      text += start + (name === 'node' ? json : `"${value}"`);
    }
    return `${text}}`;
  };
}

/** For a field that is the list of all rows of a user. */
export function listInJson(own: Own): InJson {
  const shapeOf = rememberByNodes((info): JsonShape | null => {
    const row = rowJsonOf(info, {
      type: getNamedType(info.returnType),
      sets: selectionSetsOf(info.fieldNodes),
    });
    return row === null ? null : jsonShape(row, false);
  });
  return {
    inJson: (resolve) => (user, args, context, info) => {
      const shape = shapeOf(info);
      if (!shape) return resolve(user, args, context, info);
      const read = own(context.runtime).jsonPage(shape);
      return read(wholeListOf(user.id)).then(
        ({ rows }) => new Json(`[${rows.map(({ json }) => json).join(',')}]`),
      );
    },
  };
}

/** The nodes of a field are the same in each run of a compiled query. */
function rememberByNodes<Value>(
  find: (info: GraphQLResolveInfo) => Value,
): (info: GraphQLResolveInfo) => Value {
  const known = new WeakMap<readonly FieldNode[], { value: Value }>();
  return (info) => {
    const kept = known.get(info.fieldNodes) ?? { value: find(info) };
    known.set(info.fieldNodes, kept);
    return kept.value;
  };
}

interface Selection {
  type: GraphQLNamedType;
  sets: SelectionSetNode[];
}

/** What is selected of a field, once for each name that it has in the answer. */
function selectionsOf(info: GraphQLResolveInfo, { type, sets }: Selection, name: string): Selection[] {
  const object = type as GraphQLObjectType;
  const field = object.getFields()[name];
  if (!field) return [];
  return [...collectFields(info, object, sets).values()]
    .filter(([node]) => node.name.value === name)
    .map((nodes) => ({ type: getNamedType(field.type), sets: selectionSetsOf(nodes) }));
}

function rowJsonOf(info: GraphQLResolveInfo, { type, sets }: Selection): string | null {
  return isObjectType(type) ? sqlJsonOf(info, type, sets, 'owned') : null;
}
