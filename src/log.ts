import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.ts';

/**
 * The log: one JSON object a line, on standard error. Standard output is for what a command is asked for: the
 * greeting of `serve`, the tables of the others.
 */
export function createLog(
  { level }: Config['log'],
  // Without waiting for whoever reads it. What is left is written when the process ends.
  destination: DestinationStream = pino.destination({ dest: 2, sync: false }),
): Logger {
  return pino(
    {
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: maskSecrets },
    },
    destination,
  );
}

/** A name that promises a secret, with its value as JSON (also within a string) or as a form has it. */
const NAMED =
  /((?:token|secret|password|passwd|authorization|cookie|api[_-]?key|device_?code|code_?verifier)(?:\\*"\s*:\s*\\*"|=))(?:\\.|[^"\\&\s])+(?: [^"\\&\s]+)*/gi;

/** A secret that is known by its own looks: ours, those of a header, of an address, and of known providers. */
const BY_LOOKS =
  /\bgt[hs]_[\w-]{16,}|(?<=\b(?:bearer|basic|token) +)[\w.~+/=-]{16,}|(?<=:\/\/[^\s/:@"\\]*:)[^\s/@"\\]+(?=@)|\b(?:gh[oprsu]_|github_pat_|glpat-|xox[a-z]-)[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+/gi;

/** The second line of defence: secrets are not logged in the first place. */
export function maskSecrets(line: string): string {
  return line.replace(NAMED, '$1[masked]').replace(BY_LOOKS, '[masked]');
}
