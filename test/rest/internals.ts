/**
 * What no answer may ever show: stack frames, SQL, places in the file system, names of our parts. As words of their
 * own: random codes and secrets may hold any letters.
 */
export const INTERNALS =
  /\n\s+at |\bnode_modules\b|\.[jt]s:\d|\/(?:tmp|home|root|usr|work|src)\/|\b(?:prisma\w*|postgres\w*|pglite|zod|graphql)\b|Invalid input|\b(?:SELECT|INSERT|UPDATE|DELETE)\b.*\b(?:FROM|INTO|SET)\b/i;
