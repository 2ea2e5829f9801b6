/** What one provider may cost us. */
export interface OutgoingLimits {
  /** For one call with everything that belongs to it: waiting for a place, connecting, the whole body. @default 10_000 */
  timeoutMs: number;
  /** Of the answer's body, after decompression. @default 1_048_576 */
  bodyBytes: number;
  /** Calls under way at once. Further ones wait for a place. @default 32 */
  concurrency: number;
  /** Calls that wait. Further ones fail at once. @default 256 */
  queue: number;
  /** After so many time-outs in a row the provider is left alone for a while. @default 5 */
  timeoutsInARow: number;
  /** How long; then one call tries whether it answers again. @default 10_000 */
  restMs: number;
}

export const DEFAULT_LIMITS: OutgoingLimits = {
  timeoutMs: 10_000,
  bodyBytes: 1_048_576,
  concurrency: 32,
  queue: 256,
  timeoutsInARow: 5,
  restMs: 10_000,
};

/** Counts the calls under way and lets the others wait in line. */
export function createPlaces({ concurrency, queue }: OutgoingLimits) {
  let taken = 0;
  const waiting: Array<() => void> = [];
  return {
    /** False when the line is full. A place that was waited for too long is handed on. */
    async take(signal: AbortSignal): Promise<boolean> {
      if (taken < concurrency) {
        taken++;
        return true;
      }
      if (waiting.length >= queue) return false;
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = () => {
          waiting.splice(waiting.indexOf(enter), 1);
          reject(signal.reason);
        };
        waiting.push(enter);
        signal.addEventListener('abort', leave, { once: true });
      });
      return true;
    },
    give() {
      const next = waiting.shift();
      if (next) next();
      else taken--;
    },
  };
}

/**
 * A provider that hangs would make every one of its users wait for the whole time limit. It trips on time-outs only:
 * any other failure is quick.
 */
export function createBreaker({ timeoutsInARow, restMs }: OutgoingLimits, clock: () => Date) {
  let timeouts = 0;
  let restsUntil = 0;
  return {
    mayCall(): boolean {
      if (timeouts < timeoutsInARow) return true;
      const now = clock().getTime();
      if (now < restsUntil) return false;
      // This one tries; the others go on waiting for what becomes of it.
      restsUntil = now + restMs;
      return true;
    },
    timedOut() {
      timeouts++;
      restsUntil = clock().getTime() + restMs;
    },
    answered() {
      timeouts = 0;
    },
  };
}
