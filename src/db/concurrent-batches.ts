import DataLoader from 'dataloader';

export interface BatchOptions {
  /** Keys of one statement. */
  maxBatchSize: number;
  /** Statements under way at once. What is asked for meanwhile waits, and goes with the next. */
  lanes: number;
}

/**
 * Merges reads of concurrent requests into one statement. Nothing is kept: each key is read for whoever asks, at the
 * moment they ask. When the process is idle a read waits for the end of the event loop's turn; when it is busy, for a
 * lane, so that batches grow with the load and not by waiting.
 */
export function createBatches<Key, Value>(
  read: (keys: readonly Key[]) => Promise<Value[]>,
  { maxBatchSize, lanes }: BatchOptions,
): (key: Key) => Promise<Value> {
  const waiting: (() => void)[] = [];
  let running = 0;

  const loader = new DataLoader<Key, Value>(
    async (keys) => {
      running += 1;
      try {
        return await read(keys);
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    },
    {
      cache: false,
      maxBatchSize,
      batchScheduleFn: (dispatch) => {
        if (running < lanes) setImmediate(dispatch);
        else waiting.push(dispatch);
      },
    },
  );
  return (key) => loader.load(key);
}
