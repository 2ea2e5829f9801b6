import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRetryAfter } from '../../src/external-auth/providers/explain.ts';

const HOUR = 3_600_000;
const read = (value: string) => parseRetryAfter(new Response(null, { headers: { 'retry-after': value } }));

it('is absent', () => {
  expect(parseRetryAfter(new Response())).toBeNull();
});

it('is a number of seconds, and an hour at most', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2_000_000_000 }), (seconds) => {
      expect(read(String(seconds))).toBe(Math.min(seconds * 1_000, HOUR));
    }),
  );
  // 31 years, and more digits than a number holds: a link must not rest until the next start.
  expect(read('999999999')).toBe(HOUR);
  expect(read('9'.repeat(400))).toBe(HOUR);
});

it('is a date in any form of RFC 9110, and the past is now', () => {
  // Each form, of the same moment.
  const inForms = (at: Date): string[] => {
    const [weekday = '', day = '', month = '', year = '', time = ''] = at.toUTCString().split(/,? /);
    const long = at.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });
    return [
      at.toUTCString(),
      `${long}, ${day}-${month}-${year.slice(2)} ${time} GMT`,
      `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`,
    ];
  };
  fc.assert(
    fc.property(fc.integer({ min: -86_400, max: 86_400 }), (seconds) => {
      const now = Date.now();
      for (const form of inForms(new Date(now + seconds * 1_000))) {
        const ms = read(form);
        // The form has no milliseconds, and some go by while it is read.
        expect(ms).toBeLessThanOrEqual(Math.max(0, Math.min(seconds * 1_000, HOUR)));
        expect(ms).toBeGreaterThanOrEqual(Math.max(0, Math.min(seconds * 1_000 - 5_000, HOUR)));
      }
    }),
  );
});

it.each(['-5', '1.5', '1e3', '0x10', '12 s', 'soon', 'Mon', '2026-11-21', 'Mon, 99 Zzz 2026 99:99:99 GMT'])(
  'is nothing when it is "%s"',
  (value) => {
    expect(read(value)).toBeNull();
  },
);

it('is some time up to an hour, or nothing, whatever a provider sends', () => {
  const headerText = fc.string({ unit: fc.constantFrom(...'0123456789 ,:-+.GMTMonDec\t') });
  fc.assert(
    fc.property(headerText, (value) => {
      const ms = read(value);
      if (ms === null) return;
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(HOUR);
    }),
    { numRuns: 1_000 },
  );
});
