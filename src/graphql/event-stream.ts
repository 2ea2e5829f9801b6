/** A client that does not read must not fill the memory: so many events wait, then its stream ends. */
const MAX_WAITING = 100;

/**
 * The events of a source, one after the other, until whoever reads returns.
 *
 * @param listen given how to pass an event on; returns how to stop
 */
export function createEventStream<T>(
  listen: (push: (event: T) => void) => () => void,
): AsyncIterableIterator<T> {
  const waiting: T[] = [];
  let wake = () => {};
  let hasEnded = false;

  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    stop();
    wake();
  };
  // From the beginning, not from the first read: nothing that happens in between is missed.
  const stop = listen((event) => {
    if (waiting.push(event) > MAX_WAITING) end();
    else wake();
  });

  return {
    async next() {
      while (waiting.length === 0 && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const [event] = hasEnded ? [] : waiting.splice(0, 1);
      return event === undefined ? { done: true, value: undefined } : { done: false, value: event };
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
