/** Where progress is shown; standard error, so that standard output can be piped. */
export interface ProgressStream {
  isTTY?: boolean;
  write: (text: string) => unknown;
}

const WIDTH = 30;

/**
 * A bar that is drawn over itself on a terminal. Elsewhere, as in the log of a job, a line for each tenth.
 *
 * @param unit what is counted, such as `secrets`
 */
export function showProgress(stream: ProgressStream, unit: string) {
  let shown = '';
  const line = (done: number, total: number) => `${done} of ${total} ${unit}`;
  return {
    update(done: number, total: number): void {
      if (total === 0) return;
      const part = Math.min(1, done / total);
      const step = stream.isTTY ? line(done, total) : `${Math.floor(part * 10)}`;
      if (step === shown) return;
      shown = step;
      const filled = Math.round(part * WIDTH);
      stream.write(
        stream.isTTY
          ? `\r\u001b[K${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${Math.floor(part * 100)} %  ${line(done, total)}`
          : `${line(done, total)}\n`,
      );
    },
    /** What is written next begins a line of its own. */
    end(): void {
      if (stream.isTTY && shown !== '') stream.write('\n');
    },
  };
}
