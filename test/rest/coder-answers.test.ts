import fc from 'fast-check';
import { expect, it } from 'vitest';
import { accountNumber } from '../../src/rest/coder/answers.ts';

it('takes the number of an account as it is, as far as JSON carries it exactly', () => {
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (id) => {
      expect(accountNumber(String(id))).toBe(id);
    }),
  );
});

it('makes 0 of every other id, and always an integer that JSON carries', () => {
  for (const id of [
    '',
    ' 1',
    '1 ',
    '01',
    '-1',
    '-0',
    '1.0',
    '1e3',
    '0x10',
    'ada',
    '9007199254740992',
    'NaN',
  ]) {
    expect(accountNumber(id)).toBe(0);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (id) => {
      const number = accountNumber(id);
      expect(number === 0 || String(number) === id).toBe(true);
      expect(JSON.parse(JSON.stringify(number))).toBe(number);
    }),
  );
});
