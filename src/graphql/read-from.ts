/**
 * Reads from a value that is there, or from a promise once it is. Where most are there already, this spares each
 * field of each row a promise, which costs more than the field.
 */
export function readFrom<Source, Value>(
  source: Source | Promise<Source>,
  read: (source: Source) => Value,
): Value | Promise<Value> {
  return source instanceof Promise ? source.then(read) : read(source);
}
