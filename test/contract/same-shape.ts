/**
 * Compares an answer with a documented example, field by field, by name and JSON type.
 *
 * @returns the faults: fields that are missing or of another type, and lists without an element that could prove
 * anything. Fields beyond the example are no fault; those that a caller wants to know are in `beyond`.
 */
export function compareShapes(example: unknown, actual: unknown, path = '$'): string[] {
  const expected = jsonType(example);
  if (jsonType(actual) !== expected) return [`${path} is ${jsonType(actual)}, not ${expected}`];
  if (Array.isArray(example) && Array.isArray(actual)) {
    if (actual.length === 0) return [`${path} is empty and proves nothing`];
    return actual.flatMap((item, index) => compareShapes(example[0], item, `${path}[${index}]`));
  }
  if (expected !== 'object') return [];
  return Object.entries(example as object).flatMap(([name, value]) =>
    Object.hasOwn(actual as object, name)
      ? compareShapes(value, (actual as Record<string, unknown>)[name], `${path}.${name}`)
      : [`${path}.${name} is missing`],
  );
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
