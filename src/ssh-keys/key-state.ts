import type { Prisma } from '../generated/prisma/client.ts';

/** Where a key stands in its life. */
export type SshKeyState = 'ACTIVE' | 'EXPIRING' | 'EXPIRED';

/** How long before its end a key is said to be expiring. */
const NOTICE_MS = 7 * 24 * 60 * 60 * 1_000;

export function stateOf(expiresAt: Date | null, now: Date): SshKeyState {
  if (expiresAt === null) return 'ACTIVE';
  if (expiresAt <= now) return 'EXPIRED';
  return expiresAt <= noticeFrom(now) ? 'EXPIRING' : 'ACTIVE';
}

/** The same rule as an SQL expression. */
export function stateInSql(key: string): string {
  return `CASE
    WHEN ${key}.expires_at <= clock.now THEN 'EXPIRED'
    WHEN ${key}.expires_at <= clock.now + interval '${NOTICE_MS} milliseconds' THEN 'EXPIRING'
    ELSE 'ACTIVE'
  END`;
}

/** The same rule as a condition on rows. */
export function inState(state: SshKeyState | null | undefined, now: Date): Prisma.SshKeyWhereInput {
  switch (state) {
    case 'ACTIVE':
      return { OR: [{ expiresAt: null }, { expiresAt: { gt: noticeFrom(now) } }] };
    case 'EXPIRING':
      return { expiresAt: { gt: now, lte: noticeFrom(now) } };
    case 'EXPIRED':
      return { expiresAt: { lte: now } };
    default:
      return {};
  }
}

function noticeFrom(now: Date): Date {
  return new Date(now.getTime() + NOTICE_MS);
}
