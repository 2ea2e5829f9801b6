import type { FieldComplexity } from '@pothos/plugin-complexity';
import {
  type FieldNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { Operation } from './operation.ts';

/** Items that a list is taken to have when nothing says how many it may have. */
const LIST_LENGTH = 10;

/**
 * What an operation may cost at most: a field weighs 1 unless its `complexity` says otherwise, and what is below a
 * list counts as often as the list may have items. The plugin's own sum is not used: it decodes the ids among the
 * arguments, and gives up on a malformed one, with which any query would pass for free.
 *
 * @param variables coerced to their types
 */
export function costOf(
  schema: GraphQLSchema,
  { operation, fragments }: Operation,
  variables: Record<string, unknown>,
): number {
  // A fragment is summed up once, however often it is spread; a cycle, which validation refuses, ends here too.
  const known = new Map<SelectionSetNode, number>();

  function ofSet(set: SelectionSetNode, type: GraphQLNamedType | undefined): number {
    const before = known.get(set);
    if (before !== undefined) return before;
    known.set(set, 0);
    let sum = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        sum += ofField(selection, type);
        continue;
      }
      const fragment =
        selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      const condition = fragment?.typeCondition;
      if (fragment)
        sum += ofSet(fragment.selectionSet, condition ? schema.getType(condition.name.value) : type);
    }
    known.set(set, sum);
    return sum;
  }

  function ofField(node: FieldNode, type: GraphQLNamedType | undefined): number {
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined;
    // Introspection reads nothing, and graphql-js bounds its depth.
    if (!field) return 1;
    const below = node.selectionSet ? ofSet(node.selectionSet, getNamedType(field.type)) : 0;
    const { own, times } = weightOf(field, node, variables);
    return own + times * below;
  }

  return ofSet(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined);
}

function weightOf(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  variables: Record<string, unknown>,
) {
  const complexity = field.extensions.complexity as FieldComplexity<unknown, object> | undefined;
  const args = typeof complexity === 'function' ? argumentsOf(field, node, variables) : null;
  const value = typeof complexity === 'function' ? args && complexity(args, null, field) : complexity;
  const { field: own = 1, multiplier } = typeof value === 'number' ? { field: value } : (value ?? {});
  return { own, times: multiplier ?? (isListType(getNullableType(field.type)) ? LIST_LENGTH : 1) };
}

/** @returns null when a variable is absent that has to be there: the field fails on that before it is resolved */
export function argumentsOf(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  variables: Record<string, unknown>,
): Record<string, unknown> | null {
  try {
    return getArgumentValues(field, node, variables);
  } catch {
    return null;
  }
}
