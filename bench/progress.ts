/** What a run tells while it goes on. On stderr: results may go down a pipe. */
export interface Progress {
  say: (text: string) => void;
  /** A line that the next one replaces, on a terminal. */
  update: (text: string) => void;
}

export function createProgress(): Progress {
  const { stderr } = process;
  let pending = false;
  return {
    say(text) {
      if (pending) stderr.write('\r\x1b[K');
      pending = false;
      stderr.write(`${text}\n`);
    },
    update(text) {
      if (!stderr.isTTY) return;
      stderr.write(`\r\x1b[K${text}`);
      pending = true;
    },
  };
}
