import { constants } from 'node:os';

/** npm passes Ctrl-C on to a server that has it from the terminal already: that is one signal, not two. */
const SAME_SIGNAL_MS = 500;

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
