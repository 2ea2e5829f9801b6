import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant, parseInstant } from '../../src/graphql/date-time.ts';

describe('parseInstant', () => {
  it.each([
    ['an instant', '2030-01-31T12:30:45Z', '2030-01-31T12:30:45.000Z'],
    ['an instant without seconds', '2030-01-31T12:30Z', '2030-01-31T12:30:00.000Z'],
    ['milliseconds', '2030-01-31T12:30:45.678Z', '2030-01-31T12:30:45.678Z'],
    ['nanoseconds, cut short', '2030-01-31T12:30:45.678999999Z', '2030-01-31T12:30:45.678Z'],
    ['a comma before the fraction', '2030-01-31T12:30:45,5Z', '2030-01-31T12:30:45.500Z'],
    ['an offset to the east', '2030-01-31T12:30:45+03:00', '2030-01-31T09:30:45.000Z'],
    ['an offset to the west', '2030-01-31T23:30:45-05:30', '2030-02-01T05:00:45.000Z'],
    ['an offset without a colon', '2030-01-31T12:30:45+0300', '2030-01-31T09:30:45.000Z'],
    ['no zone, which is UTC', '2030-01-31T12:30:45', '2030-01-31T12:30:45.000Z'],
    ['a space', '2030-01-31 12:30:45', '2030-01-31T12:30:45.000Z'],
    ['small letters', '2030-01-31t12:30:45z', '2030-01-31T12:30:45.000Z'],
    ['a date alone, which is midnight UTC', '2030-01-31', '2030-01-31T00:00:00.000Z'],
    ['a leap day', '2032-02-29', '2032-02-29T00:00:00.000Z'],
  ])('takes %s', (_what, text, expected) => {
    expect(parseInstant(text)?.toISOString()).toBe(expected);
  });

  it.each([
    ['nothing', ''],
    ['a day that does not exist', '2030-02-30'],
    ['a leap day of another year', '2030-02-29'],
    ['month 13', '2030-13-01'],
    ['month 0', '2030-00-01'],
    ['day 0', '2030-01-00'],
    ['hour 24', '2030-01-31T24:00:00Z'],
    ['minute 60', '2030-01-31T12:60:00Z'],
    ['a leap second, which Unix time has not', '2016-12-31T23:59:60Z'],
    ["the slip of GitFlic's page", '2020-10-10T10-10-10Z'],
    ['a zone alone', '2030-01-31Z'],
    ['an hour alone', '2030-01-31T12'],
    ['an offset of a day', '2030-01-31T12:30:45+24:00'],
    ['an offset of 60 minutes', '2030-01-31T12:30:45+01:60'],
    ['the name of a zone', '2030-01-31T12:30:45 Europe/Moscow'],
    ['seconds since 1970', '1896093045'],
    ['words', 'next year'],
    ['white space around it', ' 2030-01-31 '],
    ['a line behind it', '2030-01-31\n'],
    ['digits of another script', '２０３０-01-31'],
    ['two digits of a year', '30-01-31'],
    ['five digits of a year', '12030-01-31'],
    // What follows of these in UTC is in years that PostgreSQL and the form of four digits do not have.
    ['the end of year 9999 in the west', '9999-12-31T23:59:59-18:00'],
    ['the start of year 0 in the east', '0000-01-01T00:00:00+18:00'],
  ])('refuses %s', (_what, text) => {
    expect(parseInstant(text)).toBeNull();
  });

  const instant = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  });

  it('reads back every instant in each form that can say it', () => {
    fc.assert(
      fc.property(instant, (date) => {
        const iso = date.toISOString();
        expect(parseInstant(iso)).toEqual(date);
        expect(parseInstant(iso.replace('Z', ''))).toEqual(date);
        expect(parseInstant(iso.replace('T', ' '))).toEqual(date);
        expect(parseInstant(formatInstant(date))?.getTime()).toBe(Math.floor(date.getTime() / 1_000) * 1_000);
        expect(parseInstant(iso.slice(0, 10))?.toISOString()).toBe(`${iso.slice(0, 10)}T00:00:00.000Z`);
      }),
    );
  });

  it('takes an offset off', () => {
    const pad = (value: number) => String(value).padStart(2, '0');
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: 0, max: 18 }),
        fc.integer({ min: 0, max: 59 }),
        fc.constantFrom(1, -1),
        (date, hours, minutes, sign) => {
          const offset = sign * (hours * 60 + minutes) * 60_000;
          const local = new Date(date.getTime() + offset).toISOString();
          fc.pre(/^\d{4}-/.test(local));
          const text = local.replace('Z', `${sign > 0 ? '+' : '-'}${pad(hours)}:${pad(minutes)}`);
          expect(parseInstant(text)).toEqual(date);
        },
      ),
    );
  });

  it('agrees with JavaScript wherever it takes a whole instant', () => {
    const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`));
    const text = fc
      .tuple(digits(4), digits(2), digits(2), digits(2), digits(2), digits(2))
      .map(
        ([year, month, day, hour, minute, second]) => `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
      );
    const likely = fc
      .tuple(fc.nat(9_999), fc.nat(13), fc.nat(32), fc.nat(24), fc.nat(60), fc.nat(60))
      .map(([year, ...rest]) => {
        const [month, day, hour, minute, second] = rest.map((part) => String(part).padStart(2, '0'));
        return `${String(year).padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}Z`;
      });
    fc.assert(
      fc.property(fc.oneof(text, likely), (text) => {
        const parsed = parseInstant(text);
        if (parsed) expect(parsed.getTime()).toBe(Date.parse(text));
        // JavaScript takes hour 24, and lets days that do not exist run over into the next month.
        else if (!Number.isNaN(Date.parse(text))) {
          expect(new Date(text).toISOString().slice(0, 10)).not.toBe(text.slice(0, 10));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('answers any text with null or an instant that can be written', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.stringMatching(/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?$/),
    );
    fc.assert(
      fc.property(text, (text) => {
        const parsed = parseInstant(text);
        if (parsed) expect(parsed.toISOString()).toMatch(/^\d{4}-/);
      }),
      { numRuns: 1_000 },
    );
  });
});
