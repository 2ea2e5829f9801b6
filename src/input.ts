import { z } from 'zod';
import { type InputIssue, InvalidInput } from './errors.ts';

/**
 * Parses the input of an operation.
 *
 * @param path where the input stands in the operation's arguments
 * @throws InvalidInput that names every fault
 */
export function parseInput<S extends z.ZodType>(
  schema: S,
  input: unknown,
  path: string[] = ['input'],
): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map(
    (issue): InputIssue => ({
      path: [...path, ...issue.path.map(String)],
      message: issue.message,
    }),
  );
  throw new InvalidInput(issues as [InputIssue, ...InputIssue[]]);
}

/** Control characters have no place in a name, and would forge lines in logs and terminals. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what the pattern looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** PostgreSQL refuses NUL, and a lone surrogate is not valid UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what the pattern looks for
const CONTROL_BUT_NEWLINES = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]/;

/** Whether a text is one line without control characters, and can be written as UTF-8. */
export function isPlainLine(text: string): boolean {
  return !CONTROL.test(text) && text.isWellFormed();
}

/**
 * One line of text, trimmed.
 *
 * @param what how the message begins, such as `Title`
 * @param max the longest text, in characters
 */
export function line(what: string, max: number) {
  return z
    .string(`${what} takes text.`)
    .trim()
    .min(1, `${what} must not be empty.`)
    .max(max, `${what} is too long: at most ${max} characters.`)
    .refine(isPlainLine, `${what} must not contain control characters.`);
}

/** Text of any number of lines, possibly empty. */
export function paragraph(what: string, max: number) {
  return z
    .string(`${what} takes text.`)
    .trim()
    .max(max, `${what} is too long: at most ${max} characters.`)
    .refine(
      (text) => !CONTROL_BUT_NEWLINES.test(text) && text.isWellFormed(),
      `${what} must not contain control characters.`,
    );
}
