import { parseConfig } from '../config.ts';
import { createLog } from '../log.ts';
import type { Runtime } from '../runtime.ts';
import { openRuntime } from './open-runtime.ts';

/**
 * Runs a command on the configured database, also beside a gateway that runs on the embedded one, and closes it
 * again, however the command ends.
 *
 * @param options.anyKeys also when the keys cannot read what is stored
 */
export async function withRuntime<Result>(
  work: (runtime: Runtime) => Promise<Result>,
  { anyKeys }: { anyKeys?: boolean } = {},
): Promise<Result> {
  const config = parseConfig(process.env);
  const { runtime, close } = await openRuntime(config, createLog({ level: 'warn' }), {
    share: true,
    anyKeys,
  });
  try {
    return await work(runtime);
  } finally {
    await close();
  }
}

/** Writes a command's answer to standard output: JSON for programs, words for people. */
export function print(json: boolean | undefined, data: unknown, words: string): void {
  process.stdout.write(`${json ? JSON.stringify(data, null, 2) : words}\n`);
}
