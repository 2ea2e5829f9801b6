import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
  visit,
} from 'graphql';
import type { Config } from '../config.ts';
import { type CompiledQuery, compileQuery } from './compile.ts';
import { buildCompiledSchema } from './compiled-schema.ts';
import type { Context } from './context.ts';
import { findOperationFaults, withinTime } from './limits.ts';
import { findNeededScopes, type PassesChecks } from './needed-scopes.ts';
import { coerceVariables, findOperation, type Operation } from './operation.ts';

/** Compiling takes as long as some dozen executions: it has to be worth it. */
const COMPILE_AFTER = 5;

/** Variables whose verdict is kept: front ends ask for the same pages over and over. */
const KEPT_VERDICTS = 50;

/** Forms of one document, one for each set of answers to its `@skip` and `@include`. */
const KEPT_FORMS = 8;

type Variables = Record<string, unknown>;

/** A document of one query that may come again. */
export interface RepeatedQuery {
  /**
   * Runs the query's compiled form, whose result comes as JSON. Null when there is none yet, when the viewer lacks a scope, when the variables
   * ask for too much, or when anything but the time went wrong: then the ordinary way has to run it, and has the
   * words for it.
   */
  run: (
    operationName: string | null,
    variables: Variables,
    context: Context,
  ) => Promise<string | ExecutionResult | null>;
}

/** @returns null for what is never compiled: mutations must not run twice, and several operations are rare */
export function createRepeatedQuery(document: DocumentNode, limits: Config['limits']): RepeatedQuery | null {
  const found = findOperation(document);
  if (found?.operation.operation !== OperationTypeNode.QUERY) return null;
  const { operation } = found;

  let uses = 0;
  let passesChecks: PassesChecks | undefined;
  const verdicts = new Map<string, boolean>();
  const formFor = createForms(document, found);

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
      if (!context.viewer || ++uses < COMPILE_AFTER) return null;
      passesChecks ??= findNeededScopes(document);
      if (!passesChecks(context.viewer)) return null;
      if (operationName !== null && operationName !== operation.name?.value) return null;
      if (!isWithinLimits(variables)) return null;
      const coerced = names.length === 0 ? variables : coerceVariables(compiledSchema(), found, variables);
      const query = coerced && formFor(coerced);
      if (!query) return null;
      try {
        return await withinTime(limits.executionMs, async () => `{"data":${await query(context, coerced)}}`);
      } catch {
        return null;
      }
    },
  };
}

/** @returns the compiled form for variables, which decide what a document's `@skip` and `@include` leave of it */
function createForms(document: DocumentNode, { operation }: Operation) {
  const forms = new Map<string, CompiledQuery | null>();
  const deciding = new Set<string>();
  visit(document, {
    Directive(node) {
      for (const { value } of node.arguments ?? []) {
        if (value.kind === Kind.VARIABLE) deciding.add(value.name.value);
      }
    },
  });

  return (variables: Variables): CompiledQuery | null => {
    const conditions = Object.fromEntries([...deciding].map((name) => [name, variables[name]]));
    const key = JSON.stringify(conditions);
    const known = forms.get(key);
    // Whoever asks in ever new ways must not make us compile each time.
    if (known !== undefined || forms.size === KEPT_FORMS) return known ?? null;
    let form: CompiledQuery | null = null;
    try {
      form = compileQuery(compiledSchema(), document, operation, conditions);
    } catch {
      // Introspection, or arguments that only the ordinary way has words for.
    }
    forms.set(key, form);
    return form;
  };
}

let schema: GraphQLSchema | undefined;

/** Made when it is first needed: a start does not wait for it. */
function compiledSchema(): GraphQLSchema {
  schema ??= buildCompiledSchema();
  return schema;
}
