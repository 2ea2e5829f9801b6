import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
} from 'graphql';
import type { Config } from '../config.ts';
import { ExecutionTimeout } from '../errors.ts';
import { buildCompiledSchema } from './compiled-schema.ts';
import type { Context } from './context.ts';
import { findOperationFaults, withinTime } from './limits.ts';
import { findNeededScopes, type PassesChecks } from './needed-scopes.ts';

/** Compiling takes as long as some dozen executions: it has to be worth it. */
const COMPILE_AFTER = 5;

/** Variables whose verdict is kept: front ends ask for the same pages over and over. */
const KEPT_VERDICTS = 50;

type Variables = Record<string, unknown>;
interface Compiled {
  /** Without a check of scopes. */
  run: (context: Context, variables: Variables) => Promise<ExecutionResult>;
  /** Whether the viewer would pass them all. */
  passesChecks: PassesChecks;
}

/** A document of one query that may come again. */
export interface RepeatedQuery {
  /**
   * Runs the query's compiled form. Null when there is none yet, when the viewer lacks a scope, when the variables
   * ask for too much, or when anything but the time went wrong: then the ordinary way has to run it, and has the
   * words for it.
   */
  run: (
    operationName: string | null,
    variables: Variables,
    context: Context,
  ) => Promise<ExecutionResult | null>;
}

/** @returns null for what is never compiled: mutations must not run twice, and several operations are rare */
export function createRepeatedQuery(document: DocumentNode, limits: Config['limits']): RepeatedQuery | null {
  const [operation, ...others] = document.definitions.filter(
    (node) => node.kind === Kind.OPERATION_DEFINITION,
  );
  if (operation?.operation !== OperationTypeNode.QUERY || others.length > 0) return null;

  let uses = 0;
  let compiled: Compiled | null = null;
  const verdicts = new Map<string, boolean>();

  const names = operation.variableDefinitions?.map(({ variable }) => variable.name.value) ?? [];

  /** Counts the query's cost once for the same variables. */
  function isWithinLimits(variables: Variables): boolean {
    const values = names.map((name) => variables[name]);
    // Lists and input objects can be of any size: not worth keeping.
    if (values.some((value) => typeof value === 'object' && value !== null)) return false;
    const key = JSON.stringify(values);
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = findOperationFaults(document, null, variables, limits).length === 0;
    if (verdicts.size >= KEPT_VERDICTS) verdicts.clear();
    verdicts.set(key, verdict);
    return verdict;
  }

  return {
    async run(operationName, variables, context) {
      // Strangers must not make us compile.
      if (context.viewer && ++uses === COMPILE_AFTER) compiled = await compile(document);
      if (!compiled?.passesChecks(context.viewer)) return null;
      if (operationName !== null && operationName !== operation.name?.value) return null;
      if (!isWithinLimits(variables)) return null;
      const { run } = compiled;
      const result = await withinTime(limits.executionMs, () => run(context, variables));
      const isAnswer = !result.errors || result.errors[0]?.originalError instanceof ExecutionTimeout;
      return isAnswer ? result : null;
    },
  };
}

/** Made when it is first needed, as the compiler is loaded then: a start does not wait for them. */
let compiledSchema: GraphQLSchema | undefined;

async function compile(document: DocumentNode): Promise<Compiled | null> {
  const { compileQuery, isCompiledQuery } = await import('graphql-jit');
  compiledSchema ??= buildCompiledSchema();
  const query = compileQuery(compiledSchema, document);
  if (!isCompiledQuery(query)) return null;
  return {
    run: async (context, variables) => query.query(undefined, context, variables),
    passesChecks: findNeededScopes(document),
  };
}
