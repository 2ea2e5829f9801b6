const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?)?$/;

/**
 * Parses an ISO 8601 date or time: an instant, a time with an offset, a time without a zone (taken as UTC), or a
 * date alone (midnight UTC). Unlike `Date.parse` it refuses days that do not exist, and depends on no time zone.
 *
 * @returns null when the text is none of these
 */
export function parseInstant(text: string): Date | null {
  const match = INSTANT.exec(text);
  if (!match) return null;
  const [
    ,
    year,
    month,
    day,
    hour = '0',
    minute = '0',
    second = '0',
    fraction = '0',
    ,
    sign,
    offHour,
    offMinute,
  ] = match;
  const fields = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  date.setUTCHours(fields[3], fields[4], fields[5], Number(fraction.padEnd(3, '0').slice(0, 3)));
  const roundTrip = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  if (roundTrip.some((value, index) => value !== fields[index])) return null;
  if (!sign) return date;
  if (Number(offHour) > 18 || Number(offMinute) > 59) return null;
  const offset = (Number(offHour) * 60 + Number(offMinute)) * 60_000;
  const instant = new Date(date.getTime() - (sign === '+' ? offset : -offset));
  // The last hours of year 9999 and the first of year 0 in other zones: there is no way to write them in UTC.
  return /^\d/.test(instant.toISOString()) ? instant : null;
}

/** The form of GitFlic's dialect and of our own texts: whole seconds, UTC. */
export function formatInstant(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
