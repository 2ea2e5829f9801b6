import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { showProgress } from '../../src/cli/progress.ts';

function record(isTTY: boolean, updates: [number, number][]): string {
  let written = '';
  const stream = {
    isTTY,
    write: (text: string) => {
      written += text;
    },
  };
  const progress = showProgress(stream, 'secrets');
  for (const [done, total] of updates) progress.update(done, total);
  progress.end();
  return written;
}

describe('progress', () => {
  it('is a bar that is drawn over itself on a terminal', () => {
    const bar = record(true, [
      [0, 200],
      [100, 200],
      [200, 200],
    ]);
    expect(bar.split('\r\u001b[K')).toEqual([
      '',
      `${'░'.repeat(30)} 0 %  0 of 200 secrets`,
      `${'█'.repeat(15)}${'░'.repeat(15)} 50 %  100 of 200 secrets`,
      `${'█'.repeat(30)} 100 %  200 of 200 secrets\n`,
    ]);
  });

  it('is a plain line for each tenth elsewhere', () => {
    const lines = record(
      false,
      Array.from({ length: 101 }, (_, n) => [n * 10, 1_000]),
    );
    expect(lines.split('\n')).toHaveLength(12);
    expect(lines).toMatch(/^0 of 1000 secrets\n100 of 1000 secrets\n/);
    expect(lines).not.toContain('\r');
  });

  it('is nothing when there is nothing to do', () => {
    expect(record(true, [[0, 0]]) + record(false, [[0, 0]])).toBe('');
  });

  it('never leaves its width, whatever it is told', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (done, total) => {
        const [, bar = ''] = /([█░]*) /.exec(record(true, [[done, total]])) ?? [];
        expect([0, 30]).toContain(bar.length);
      }),
    );
  });
});
