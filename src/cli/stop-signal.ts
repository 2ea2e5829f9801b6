import { constants } from 'node:os';
import type { Config } from '../config.ts';

/** npm passes Ctrl-C on to a server that has it from the terminal already: that is one signal, not two. */
const SAME_SIGNAL_MS = 500;

/** What a shutdown takes beyond the wait for requests: closing the database. */
const CLOSE_MS = 5_000;

/** @returns a promise that resolves with the first SIGINT or SIGTERM; a second one ends the process at once */
export function stopSignal(): Promise<void> {
  return new Promise((stop) => {
    let first: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        first ??= performance.now();
        if (performance.now() - first > SAME_SIGNAL_MS) process.exit(128 + constants.signals[signal]);
        stop();
      });
    }
  });
}

/** Ends a shutdown that hangs, with exit code 1: a supervisor must not be kept waiting. */
export function endIfLate({ shutdownDelayMs, shutdownMs }: Config['limits']): void {
  setTimeout(() => process.exit(1), shutdownDelayMs + shutdownMs + CLOSE_MS).unref();
}
