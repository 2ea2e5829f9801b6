import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExpiry } from '../../src/cli/expiry.ts';
import { formatTable } from '../../src/cli/table.ts';
import { OperatorError } from '../../src/errors.ts';

const NOW = new Date('2026-03-01T12:00:00Z');

describe('parseExpiry', () => {
  it.each([
    ['1h', '2026-03-01T13:00:00.000Z'],
    ['90d', '2026-05-30T12:00:00.000Z'],
    ['2w', '2026-03-15T12:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T10:00:00+02:00', '2027-01-31T08:00:00.000Z'],
  ])('takes %s', (text, expected) => expect(parseExpiry(text, NOW).toISOString()).toBe(expected));

  it.each([
    '',
    '0d',
    '-1d',
    '1',
    'd',
    '1m',
    '1.5d',
    '999999d',
    '2026-03-01',
    '2026-02-30',
    'tomorrow',
    '1d1h',
  ])('refuses %j', (text) => expect(() => parseExpiry(text, NOW)).toThrow(OperatorError));

  it('gives a time in the future or none', () => {
    const like = fc.tuple(fc.integer({ min: -5, max: 100_000 }), fc.constantFrom('h', 'd', 'w', 'y', ''));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          like.map(([count, unit]) => `${count}${unit}`),
        ),
        (text) => {
          try {
            expect(parseExpiry(text, NOW).getTime()).toBeGreaterThan(NOW.getTime());
          } catch (error) {
            expect(error).toBeInstanceOf(OperatorError);
          }
        },
      ),
    );
  });
});

describe('formatTable', () => {
  it('aligns columns, and leaves no blanks at the end of a line', () => {
    const rows = [
      { user: 'ada', 'last used': 'never' },
      { user: 'grace-hopper', 'last used': '' },
    ];
    expect(formatTable(rows)).toBe('USER          LAST USED\nada           never\ngrace-hopper');
  });
});
