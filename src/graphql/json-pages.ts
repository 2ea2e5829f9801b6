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
import { collectFields, selectionSetsOf } from './collect-fields.ts';
import { Json } from './compile.ts';
import type { Context } from './context.ts';
import { cursorOf, forwardPageOf, type PageArguments, wholeListOf } from './paging.ts';
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
  const shapeOf = rememberByNodes((info): JsonShape | null => {
    const connection = { type: getNamedType(info.returnType), sets: selectionSetsOf(info.fieldNodes) };
    const [edges, ...otherEdges] = selectionsOf(info, connection, 'edges');
    const [node, ...otherNodes] = edges ? selectionsOf(info, edges, 'node') : [];
    if (!node || otherEdges.length > 0 || otherNodes.length > 0) return null;
    const row = rowJsonOf(info, node);
    return row === null ? null : jsonShape(row, selectionsOf(info, connection, 'totalCount').length > 0);
  });
  return {
    inJson: (resolve) => (user, args, context, info) => {
      const page = forwardPageOf(args, user.id);
      const shape = page && shapeOf(info);
      if (!shape) return resolve(user, args, context, info);
      const read = own(context.runtime).jsonPage(shape);
      return read(page).then(({ rows, total }) => {
        const edges = rows.slice(0, page.take - 1).map((row) => new JsonEdge(row));
        return {
          totalCount: () => total,
          edges,
          pageInfo: {
            hasNextPage: rows.length === page.take,
            hasPreviousPage: args.after != null,
            startCursor: edges[0]?.cursor ?? null,
            endCursor: edges.at(-1)?.cursor ?? null,
          },
        };
      });
    },
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

class JsonEdge {
  readonly node: Json;
  readonly #id: string;

  constructor({ id, json }: JsonRow) {
    this.node = new Json(json);
    this.#id = id;
  }

  get cursor(): string {
    return cursorOf(this.#id);
  }
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
