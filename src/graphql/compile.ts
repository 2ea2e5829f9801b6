import {
  type DocumentNode,
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import type { Context } from './context.ts';
import { fragmentsOf } from './operation.ts';

type Path = GraphQLResolveInfo['path'];
type Values = Record<string, unknown>;

/** Runs a query. Rejects when anything at all is not as it should be. */
export type CompiledQuery = (context: Context, variables: Values) => Promise<Values>;

/** One run of a query. */
interface Run {
  context: Context;
  variables: Values;
  /** What its resolvers were told already: the same for each row. */
  infos: GraphQLResolveInfo[];
  /** Calls back when the value is there. The run ends when nothing is waited for any more. */
  wait: (value: PromiseLike<unknown>, then: (value: unknown) => void) => void;
}

/** Makes of a field's value what stands in the answer. */
type Complete = (value: unknown, run: Run) => unknown;

/** Tells what a resolver is told. */
type InfoOf = (run: Run) => GraphQLResolveInfo;

/**
 * Makes a function of a query, which answers as graphql-js does when nothing goes wrong, and knows nothing of errors:
 * whoever calls it asks graphql-js again then. So it keeps no account of where in the answer it is, which is most of
 * what other executors do for each value. What the document tells is looked at once:
 *
 * - A field without a resolver is a property of its parent, neither a method nor a promise.
 * - `info.path` of a resolver goes without the indices of lists.
 *
 * @param document valid, of one query
 * @param conditions what the variables of its `@skip` and `@include` are
 */
export function compileQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  conditions: Values,
): CompiledQuery {
  const fragments = fragmentsOf(document);
  const namedFragments = Object.fromEntries(fragments);
  /** What each resolver is told, but for the values of variables. */
  const infos: GraphQLResolveInfo[] = [];

  function compileObject(type: GraphQLObjectType, sets: SelectionSetNode[], path: Path | undefined) {
    const fields = [...collectFields(schema, fragments, conditions, type, sets)];
    // Properties that are there from the start are quick to fill, and a client may call one of them `__proto__`.
    const blank: Values = Object.fromEntries(
      fields.map(([key, [{ name }]]) => [key, name.value === TypeNameMetaFieldDef.name ? type.name : null]),
    );
    const fill = fields
      .filter(([, [{ name }]]) => name.value !== TypeNameMetaFieldDef.name)
      .map(([key, nodes]) => {
        const name = nodes[0].name.value;
        const field = type.getFields()[name];
        if (!field) throw new Error(`The field ${type.name}.${name} is not compiled.`);
        return compileField(type, field, nodes, { prev: path, key, typename: type.name });
      });
    return (source: unknown, run: Run): Values => {
      const target = { ...blank };
      for (const fillOne of fill) fillOne(target, source, run);
      return target;
    };
  }

  function compileField(
    parentType: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    fieldNodes: Nodes,
    path: Path,
  ) {
    const { name, type, resolve = defaultFieldResolver } = field;
    const { key } = path;
    const info = {
      fieldName: name,
      fieldNodes,
      returnType: type,
      parentType,
      path,
      schema,
      fragments: namedFragments,
      rootValue: undefined,
      operation,
      variableValues: {},
    };
    const place = infos.push(info) - 1;
    const infoOf = (run: Run): GraphQLResolveInfo => {
      const told = run.infos[place] ?? { ...info, variableValues: run.variables };
      run.infos[place] = told;
      return told;
    };
    const complete = compileValue(type, fieldNodes, path, infoOf);

    if (resolve === defaultFieldResolver) {
      return (target: Values, source: unknown, run: Run) =>
        put(target, key, (source as Values)[name], complete, run);
    }

    const [node] = fieldNodes;
    const args = hasVariable(node) ? null : getArgumentValues(field, node);
    return (target: Values, source: unknown, run: Run) => {
      const { context, variables } = run;
      const given = args ?? getArgumentValues(field, node, variables);
      put(target, key, resolve(source, given, context, infoOf(run)), complete, run);
    };
  }

  function compileValue(type: GraphQLOutputType, nodes: Nodes, path: Path, infoOf: InfoOf): Complete {
    if (isNonNullType(type)) {
      const complete = compilePresent(type.ofType, nodes, path, infoOf);
      return (value, run) => {
        if (value === null || value === undefined) throw new Error('A value is missing.');
        return complete(value, run);
      };
    }
    const complete = compilePresent(type, nodes, path, infoOf);
    return (value, run) => (value === null || value === undefined ? null : complete(value, run));
  }

  /** What is not null, whatever its type says. */
  function compilePresent(type: GraphQLOutputType, nodes: Nodes, path: Path, infoOf: InfoOf): Complete {
    if (isLeafType(type)) {
      return (value) => {
        const leaf = type.serialize(value);
        if (leaf === null || leaf === undefined) throw new Error(`A ${type.name} is nothing.`);
        return leaf;
      };
    }
    if (isListType(type)) {
      const complete = compileValue(type.ofType, nodes, path, infoOf);
      return (value, run) => {
        if (!Array.isArray(value)) throw new Error('A list is none.');
        const list: unknown[] = new Array(value.length);
        value.forEach((item, i) => {
          put(list, i, item, complete, run);
        });
        return list;
      };
    }
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    if (isAbstractType(type)) return compileAbstract(type, sets, path, infoOf);
    return compileObject(type as GraphQLObjectType, sets, path);
  }

  function compileAbstract(
    type: GraphQLAbstractType,
    sets: SelectionSetNode[],
    path: Path,
    infoOf: InfoOf,
  ): Complete {
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const possible = new Map(
      schema.getPossibleTypes(type).map((one) => [one.name, compileObject(one, sets, path)]),
    );
    return (value, run) => {
      const complete = possible.get(String(resolveType(value, run.context, infoOf(run), type)));
      if (!complete) throw new Error(`A ${type.name} is of no known type.`);
      return complete(value, run);
    };
  }

  const hasVariables = (operation.variableDefinitions?.length ?? 0) > 0;
  const start = compileObject(
    schema.getQueryType() as GraphQLObjectType,
    [operation.selectionSet],
    undefined,
  );

  return (context, variables) =>
    new Promise((resolve, reject) => {
      let awaited = 1;
      let data: Values = {};
      const settle = () => {
        awaited -= 1;
        if (awaited === 0) resolve(data);
      };
      const run: Run = {
        context,
        variables,
        infos: hasVariables ? [] : infos,
        wait(value, then) {
          awaited += 1;
          value.then((there) => {
            try {
              then(there);
              settle();
            } catch (error) {
              reject(error);
            }
          }, reject);
        },
      };
      data = start(undefined, run);
      settle();
    });
}

/** Puts a value where it belongs in the answer, once it is there. */
function put<Key extends string | number>(
  target: Record<Key, unknown>,
  key: Key,
  value: unknown,
  complete: Complete,
  run: Run,
): void {
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Error) throw value;
    if (isPromise(value)) {
      run.wait(value, (there) => put(target, key, there, complete, run));
      return;
    }
  }
  target[key] = complete(value, run);
}

/** The nodes of one field of the answer: it may be written down several times. */
type Nodes = readonly [FieldNode, ...FieldNode[]];

/** The fields that a type has in selection sets, by their name in the answer, in the order of the document. */
function collectFields(
  schema: GraphQLSchema,
  fragments: Map<string, FragmentDefinitionNode>,
  conditions: Values,
  type: GraphQLObjectType,
  sets: SelectionSetNode[],
): Map<string, Nodes> {
  const fields = new Map<string, Nodes>();
  const spread = new Set<string>();

  function collect({ selections }: SelectionSetNode): void {
    for (const node of selections) {
      if (!isIncluded(node, conditions)) continue;
      if (node.kind === Kind.FIELD) {
        const key = (node.alias ?? node.name).value;
        const known = fields.get(key);
        fields.set(key, known ? [...known, node] : [node]);
        continue;
      }
      if (node.kind === Kind.FRAGMENT_SPREAD && spread.has(node.name.value)) continue;
      if (node.kind === Kind.FRAGMENT_SPREAD) spread.add(node.name.value);
      const fragment = node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value) : node;
      if (fragment && applies(fragment.typeCondition?.name.value)) collect(fragment.selectionSet);
    }
  }

  function applies(condition: string | undefined): boolean {
    const wanted = condition === undefined ? type : schema.getType(condition);
    return wanted === type || (isAbstractType(wanted) && schema.isSubType(wanted, type));
  }

  for (const set of sets) collect(set);
  return fields;
}

function isIncluded(node: SelectionNode, conditions: Values): boolean {
  if (!node.directives?.length) return true;
  const skip = getDirectiveValues(GraphQLSkipDirective, node, conditions);
  const include = getDirectiveValues(GraphQLIncludeDirective, node, conditions);
  return skip?.if !== true && include?.if !== false;
}

function hasVariable({ arguments: given = [] }: FieldNode): boolean {
  let found = false;
  for (const argument of given) {
    visit(argument, {
      Variable() {
        found = true;
      },
    });
  }
  return found;
}

/** Prisma's promises are none of JavaScript's class. */
function isPromise(value: object): value is PromiseLike<unknown> {
  return 'then' in value && typeof value.then === 'function';
}
