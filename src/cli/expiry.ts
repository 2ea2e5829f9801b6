import { OperatorError } from '../errors.ts';
import { parseInstant } from '../graphql/date-time.ts';

const UNIT_MS: Record<string, number> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * A time in the future, as `--expires` takes it: so long from now (`12h`, `90d`, `8w`), or a date or time
 * (`2027-01-31`, `2027-01-31T12:00:00Z`).
 *
 * @throws OperatorError
 */
export function parseExpiry(text: string, now: Date): Date {
  const [, count, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  const date = count ? new Date(now.getTime() + Number(count) * (UNIT_MS[unit] ?? 0)) : parseInstant(text);
  if (!date) {
    throw new OperatorError(
      `--expires takes a time from now, such as 12h, 90d or 8w, or a date such as 2027-01-31, and not "${text}".`,
    );
  }
  if (date <= now) throw new OperatorError(`--expires takes a time in the future, and ${text} is not.`);
  return date;
}
