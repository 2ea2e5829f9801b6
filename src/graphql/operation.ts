import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';

/** The operation of a document that is asked for, with the fragments that it may spread. */
export interface Operation {
  operation: OperationDefinitionNode;
  fragments: Map<string, FragmentDefinitionNode>;
}

/** @returns null when the name fits no operation, or none is given and there are several */
export function findOperation(document: DocumentNode, name?: string | null): Operation | null {
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  const operation = name == null ? operations[0] : operations.find((node) => node.name?.value === name);
  if (!operation || (name == null && operations.length > 1)) return null;
  return { operation, fragments: fragmentsOf(document) };
}

export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((node) => [node.name.value, node]));
}

/** @returns null when the values do not fit their types */
export function coerceVariables(
  schema: GraphQLSchema,
  { operation }: Operation,
  values: Record<string, unknown>,
): Record<string, unknown> | null {
  const definitions = operation.variableDefinitions ?? [];
  return getVariableValues(schema, definitions, values, { maxErrors: 1 }).coerced ?? null;
}
