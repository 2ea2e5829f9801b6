import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  Kind,
  parse,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Plugin, PromiseOrValue } from 'graphql-yoga';
import type { Config } from '../config.ts';
import { ExecutionTimeout } from '../errors.ts';
import type { Context } from './context.ts';
import { costOf } from './cost.ts';
import { coerceVariables, findOperation, fragmentsOf } from './operation.ts';
import { findPagingFaults } from './paging.ts';
import { schema } from './schema.ts';

/** Introspection nests deeper than data: a standard introspection query has 15 levels. graphql-js bounds its lists. */
const INTROSPECTION_DEPTH = 20;

/** A selection that is written down twice in one set does no good to anybody; a generator may do it a few times. */
const MAX_DUPLICATES = 20;

const MAX_DIRECTIVES = 50;

/**
 * Refuses operations that ask for too much before any of them runs: what the document's text alone tells before it
 * is validated, for validation's own rules take quadratic time; what depends on variables before it is executed.
 */
export function withLimits(limits: Config['limits']): Plugin<object, object, Context> {
  // Documents are cached by Yoga: the verdict on one need not be found again.
  const verdicts = new WeakMap<DocumentNode, GraphQLError[]>();

  return {
    onParse: ({ setParseFn }) => setParseFn((source) => parseWithin(limits, source)),

    onValidate({ params: { documentAST }, setResult }) {
      const faults = verdicts.get(documentAST) ?? findShapeFaults(documentAST, limits);
      verdicts.set(documentAST, faults);
      if (faults.length > 0) setResult(faults);
    },

    onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
      setExecuteFn((given) => executeWithin(limits.executionMs, executeFn, given));
      const faults = findOperationFaults(
        args.document,
        args.operationName,
        args.variableValues ?? {},
        limits,
      );
      if (faults.length > 0) setResultAndStopExecution({ errors: faults });
    },
  };
}

/** What an operation asks for with its variables in place. Empty when the executor has the words for what is wrong. */
export function findOperationFaults(
  document: DocumentNode,
  operationName: string | null | undefined,
  values: Record<string, unknown>,
  limits: Config['limits'],
): GraphQLError[] {
  const operation = findOperation(document, operationName);
  const variables = operation && coerceVariables(schema, operation, values);
  if (!variables) return [];
  const faults = findPagingFaults(schema, operation, variables, limits.pageSize);
  if (faults.length > 0) return faults;
  const fault = check(
    'cost',
    limits.queryCost,
    costOf(schema, operation, variables),
    'The query costs too much',
  );
  return fault ? [fault] : [];
}

/** Gives up after the time: no further field is resolved, and what runs already is not waited for. */
function executeWithin(ms: number, execute: ExecuteFunction, args: ExecutionArgs): Promise<ExecutionResult> {
  const abort = new AbortController();
  // Yoga's executor knows the signal, graphql-js' types do not yet. What it throws then comes too late to matter.
  return withinTime(
    ms,
    async () => execute({ ...args, signal: abort.signal } as ExecutionArgs),
    () => abort.abort(),
  );
}

/**
 * The result of a run, or an error when it takes longer.
 *
 * @param giveUp called when the time is over
 */
export function withinTime<Result>(
  ms: number,
  run: () => Promise<Result>,
  giveUp = () => {},
): Promise<Result | ExecutionResult> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new ExecutionTimeout(ms);
      resolve({ errors: [new GraphQLError(error.message, { originalError: error })] });
      giveUp();
    }, ms);
    run()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

type ExecuteFunction = (args: ExecutionArgs) => PromiseOrValue<ExecutionResult>;

function parseWithin(
  { queryTokens: maxTokens, queryDepth: maxDepth }: Config['limits'],
  source: Parameters<typeof parse>[0],
): DocumentNode {
  try {
    return parse(source, { maxTokens });
  } catch (error) {
    if (error instanceof RangeError) {
      // The parser calls itself at each level, and found the stack's end before the limit's.
      throw new GraphQLError('The query is nested too deeply.', {
        extensions: extensionsOf('depth', maxDepth),
      });
    }
    if (!(error instanceof GraphQLError && error.message.includes(`more that ${maxTokens} tokens`)))
      throw error;
    throw new GraphQLError(
      `The query is too long: more than ${maxTokens} tokens, and the limit is ${maxTokens}.`,
      {
        extensions: extensionsOf('tokens', maxTokens),
      },
    );
  }
}

/** How much a selection set asks for with its fragments in place. */
interface Shape {
  depth: number;
  fields: number;
  aliases: number;
}

/** What the text of a document alone tells. */
function findShapeFaults(document: DocumentNode, limits: Config['limits']): GraphQLError[] {
  const fragments = fragmentsOf(document);
  let directives = 0;
  let duplicates = 0;
  // Also what ends a cycle, which validation refuses later.
  const measured = new Map<SelectionSetNode, Shape>();

  function measure(set: SelectionSetNode): Shape {
    const known = measured.get(set);
    if (known) return known;
    const shape = { depth: 0, fields: 0, aliases: 0 };
    measured.set(set, shape);
    const names = new Set<string>();
    for (const selection of set.selections) {
      directives += selection.directives?.length ?? 0;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        if (names.has(name)) duplicates += 1;
        names.add(name);
        shape.fields += 1;
        if (selection.alias) shape.aliases += 1;
      }
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? fragments.get(selection.name.value)?.selectionSet
          : selection.selectionSet;
      const { depth, fields, aliases } = inner ? measure(inner) : { depth: 0, fields: 0, aliases: 0 };
      shape.fields += fields;
      shape.aliases += aliases;
      const below = isIntrospection(selection) && depth <= INTROSPECTION_DEPTH ? 0 : depth;
      shape.depth = Math.max(shape.depth, selection.kind === Kind.FIELD ? below + 1 : below);
    }
    return shape;
  }

  // A fragment counts where it is spread; one that never is, validation refuses.
  const shapes = document.definitions.map((node) => {
    directives += ('directives' in node && node.directives?.length) || 0;
    const empty = { depth: 0, fields: 0, aliases: 0 };
    return node.kind === Kind.OPERATION_DEFINITION ? measure(node.selectionSet) : empty;
  });
  const most = (what: keyof Shape) => Math.max(...shapes.map((shape) => shape[what]));
  return [
    check('depth', limits.queryDepth, most('depth'), 'The query is nested too deeply, in levels'),
    check(
      'fields',
      limits.queryTokens,
      most('fields'),
      'The query selects too many fields, with its fragments in place',
    ),
    check('aliases', limits.queryAliases, most('aliases'), 'The query has too many aliases'),
    check('duplicates', MAX_DUPLICATES, duplicates, 'The query selects the same field over and over'),
    check('directives', MAX_DIRECTIVES, directives, 'The query has too many directives'),
  ].filter((fault) => fault !== null);
}

function isIntrospection(node: SelectionNode): boolean {
  return node.kind === Kind.FIELD && (node.name.value === '__schema' || node.name.value === '__type');
}

function check(limit: string, max: number, found: number, what: string): GraphQLError | null {
  return found > max ? exceeded(limit, max, found, what) : null;
}

function exceeded(limit: string, max: number, count: number, what: string): GraphQLError {
  // Fragments within fragments multiply beyond what JSON can say.
  const found = Math.min(count, Number.MAX_SAFE_INTEGER);
  return new GraphQLError(`${what}: ${found}, and the limit is ${max}.`, {
    extensions: { ...extensionsOf(limit, max), found },
  });
}

function extensionsOf(limit: string, max: number) {
  return { code: 'LIMIT_EXCEEDED', limit, max, http: { status: 400, spec: true } };
}
