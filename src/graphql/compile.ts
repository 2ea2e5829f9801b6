import {
  type DocumentNode,
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getArgumentValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import { collectFields, fieldStart, type Nodes, selectionSetsOf } from './collect-fields.ts';
import type { Context } from './context.ts';
import { fragmentsOf } from './operation.ts';

type Path = GraphQLResolveInfo['path'];
type Values = Record<string, unknown>;

/** Runs a query, and writes its data as JSON. Rejects when anything at all is not as it should be. */
export type CompiledQuery = (context: Context, variables: Values) => Promise<string>;

/** What a resolver may give in the place of an object, or of a list of them: the answer to the field's selection. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JSON in the making. What comes later has a place of its own. */
type Text = (string | Text)[];

/** One run of a query. */
interface Run {
  context: Context;
  variables: Values;
  /** What its resolvers were told already: the same for each row. */
  infos: GraphQLResolveInfo[];
  /** Calls back when the value is there. The run ends when nothing is waited for any more. */
  wait: (value: PromiseLike<unknown>, then: (value: unknown) => void) => void;
}

/** Writes a field's value. */
type Write = (value: unknown, run: Run, text: Text) => void;

/** Tells what a resolver is told. */
type InfoOf = (run: Run) => GraphQLResolveInfo;

/**
 * Makes a function of a query, which answers as graphql-js does when nothing goes wrong, and knows nothing of errors:
 * whoever calls it asks graphql-js again then. So it keeps no account of where in the answer it is, which is most of
 * what other executors do for each value; and it writes JSON at once, without objects that are thrown away when they
 * are written. What the document tells is looked at once:
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
  const fragments = Object.fromEntries(fragmentsOf(document));
  /** What each resolver is told, but for the values of variables. */
  const infos: GraphQLResolveInfo[] = [];

  function compileObject(type: GraphQLObjectType, sets: SelectionSetNode[], path: Path | undefined): Write {
    const selecting = { schema, fragments, variableValues: conditions };
    const fields = [...collectFields(selecting, type, sets)].map(([key, nodes], i) => {
      const name = nodes[0].name.value;
      const start = fieldStart(key, i);
      if (name === TypeNameMetaFieldDef.name) return { start: start + JSON.stringify(type.name) };
      const field = type.getFields()[name];
      if (!field) throw new Error(`The field ${type.name}.${name} is not compiled.`);
      return { start, write: compileField(type, field, nodes, { prev: path, key, typename: type.name }) };
    });
    const end = fields.length === 0 ? '{}' : '}';
    return (source, run, text) => {
      for (const { start, write } of fields) {
        text.push(start);
        write?.(source, run, text);
      }
      text.push(end);
    };
  }

  function compileField(
    parentType: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    fieldNodes: Nodes,
    path: Path,
  ): Write {
    const { name, type, resolve = defaultFieldResolver } = field;
    const info = {
      fieldName: name,
      fieldNodes,
      returnType: type,
      parentType,
      path,
      schema,
      fragments,
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
    const write = compileValue(type, fieldNodes, path, infoOf);

    if (resolve === defaultFieldResolver) {
      return (source, run, text) => put((source as Values)[name], write, run, text);
    }

    const [node] = fieldNodes;
    const args = hasVariable(node) ? null : getArgumentValues(field, node);
    return (source, run, text) => {
      const { context, variables } = run;
      const given = args ?? getArgumentValues(field, node, variables);
      put(resolve(source, given, context, infoOf(run)), write, run, text);
    };
  }

  function compileValue(type: GraphQLOutputType, nodes: Nodes, path: Path, infoOf: InfoOf): Write {
    if (isNonNullType(type)) {
      const write = compilePresent(type.ofType, nodes, path, infoOf);
      return (value, run, text) => {
        if (value === null || value === undefined) throw new Error('A value is missing.');
        write(value, run, text);
      };
    }
    const write = compilePresent(type, nodes, path, infoOf);
    return (value, run, text) => {
      if (value === null || value === undefined) text.push('null');
      else write(value, run, text);
    };
  }

  /** What is not null, whatever its type says. */
  function compilePresent(type: GraphQLOutputType, nodes: Nodes, path: Path, infoOf: InfoOf): Write {
    if (isLeafType(type)) {
      return (value, _run, text) => {
        const leaf = type.serialize(value);
        if (leaf === null || leaf === undefined) throw new Error(`A ${type.name} is nothing.`);
        text.push(JSON.stringify(leaf));
      };
    }
    if (isListType(type)) {
      const write = compileValue(type.ofType, nodes, path, infoOf);
      return (value, run, text) => {
        if (!Array.isArray(value)) throw new Error('A list is none.');
        let start = '[';
        for (const item of value) {
          text.push(start);
          put(item, write, run, text);
          start = ',';
        }
        text.push(start === '[' ? '[]' : ']');
      };
    }
    const sets = selectionSetsOf(nodes);
    if (isAbstractType(type)) return compileAbstract(type, sets, path, infoOf);
    return compileObject(type as GraphQLObjectType, sets, path);
  }

  function compileAbstract(
    type: GraphQLAbstractType,
    sets: SelectionSetNode[],
    path: Path,
    infoOf: InfoOf,
  ): Write {
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const possible = new Map(
      schema.getPossibleTypes(type).map((one) => [one.name, compileObject(one, sets, path)]),
    );
    return (value, run, text) => {
      const write = possible.get(String(resolveType(value, run.context, infoOf(run), type)));
      if (!write) throw new Error(`A ${type.name} is of no known type.`);
      write(value, run, text);
    };
  }

  const hasVariables = (operation.variableDefinitions?.length ?? 0) > 0;
  const writeData = compileObject(
    schema.getQueryType() as GraphQLObjectType,
    [operation.selectionSet],
    undefined,
  );

  return (context, variables) =>
    new Promise((resolve, reject) => {
      let awaited = 1;
      const data: Text = [];
      const settle = () => {
        awaited -= 1;
        if (awaited === 0) resolve(join(data));
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
      writeData(undefined, run, data);
      settle();
    });
}

/** Writes a value where it belongs in the answer, once it is there. */
function put(value: unknown, write: Write, run: Run, text: Text): void {
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Json) {
      text.push(value.text);
      return;
    }
    if (value instanceof Error) throw value;
    if (isPromise(value)) {
      const place: Text = [];
      text.push(place);
      run.wait(value, (there) => put(there, write, run, place));
      return;
    }
  }
  write(value, run, text);
}

function join(text: Text): string {
  let joined = '';
  for (const part of text) joined += typeof part === 'string' ? part : join(part);
  return joined;
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
