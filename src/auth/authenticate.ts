import { parse as parseCookies } from 'hono/utils/cookie';
import type { Config } from '../config.ts';
import { createBatches } from '../db/concurrent-batches.ts';
import { perRuntime, type Runtime } from '../runtime.ts';
import { sha256 } from '../secrets/hash.ts';
import { hasValidChecksum } from '../secrets/mint.ts';
import { type TokenRow, tokenRows } from './token-rows.ts';
import type { Viewer } from './viewer.ts';

/**
 * The cookie that `/login` sets. On https its name has the prefix that pins it to this host (RFC 6265bis): another
 * host of the domain, or anybody on a plain connection, cannot set it, and so cannot sign a browser in as themselves.
 */
export function sessionCookie({ http }: Config): string {
  return http.publicUrl.startsWith('https:') ? '__Host-gatehouse_session' : 'gatehouse_session';
}

export interface Credential {
  token: string;
  /** A cookie comes along with requests that another site started: such requests need CSRF protection. */
  viaCookie: boolean;
}

/** Last use is written at most this often. */
const LAST_USE_INTERVAL_MS = 60_000;

/**
 * The token of a request. What was sent on purpose goes before what the browser sends by itself. Never read from
 * the query string, where it would be logged.
 *
 * @param cookieNames the cookies that may carry it, the first that is there counts
 */
export function readCredential(headers: Headers, cookieNames: string[]): Credential | null {
  const [, scheme, authorization] = headers.get('authorization')?.match(/^(bearer|token) +(\S+) *$/i) ?? [];
  if (scheme && authorization) return { token: authorization, viaCookie: false };
  // The Go client of Coder's dialect always sends this header, also empty.
  const sessionHeader = headers.get('coder-session-token');
  if (sessionHeader) return { token: sessionHeader, viaCookie: false };
  const cookies = parseCookies(headers.get('cookie') ?? '');
  const cookie = cookieNames.map((name) => cookies[name]).find(Boolean);
  return cookie ? { token: cookie, viaCookie: true } : null;
}

/** The viewer that a token stands for; null when it is unknown, expired, revoked, or its user is disabled. */
export async function authenticate(runtime: Runtime, token: string): Promise<Viewer | null> {
  if (token.startsWith('gth_') && !hasValidChecksum(token)) return null;
  // A lookup by the hash of 256 random bits needs no constant time: its timing tells nothing of other tokens.
  const row = await tokenRows(runtime)(sha256(token));
  const now = runtime.clock();
  if (!row || row.viewer.user.disabledAt || (row.expiresAt && row.expiresAt <= now)) return null;
  noteUse(runtime, row, now);
  return row.viewer;
}

/** When each token's use was noted here: a row may have been read before that was stored. */
const notedUses = perRuntime(() => new Map<string, Date>());

const MAX_NOTED = 20_000;

/** One statement for all tokens that concurrent requests use. */
const useWriter = perRuntime(({ db, clock }) =>
  createBatches<string, void>(
    async (ids) => {
      const now = clock();
      // Another process may have written meanwhile.
      const isStale = { OR: [{ lastUsedAt: null }, { lastUsedAt: { lte: lastUseBefore(now) } }] };
      await db.apiToken.updateMany({
        where: { id: { in: [...ids] }, ...isStale },
        data: { lastUsedAt: now },
      });
      return ids.map(() => undefined);
    },
    { maxBatchSize: 100, lanes: 1 },
  ),
);

function lastUseBefore(now: Date): Date {
  return new Date(now.getTime() - LAST_USE_INTERVAL_MS);
}

function noteUse(runtime: Runtime, row: TokenRow, now: Date): void {
  const { tokenId } = row.viewer;
  const noted = notedUses(runtime);
  const last = noted.get(tokenId) ?? row.lastUsedAt;
  if (last && last > lastUseBefore(now)) return;
  if (noted.size >= MAX_NOTED) noted.clear();
  noted.set(tokenId, now);
  runtime.background('token last use', useWriter(runtime)(tokenId));
}

/** Whether a viewer of some time ago still is one: not when their token was revoked or expired, or they disabled. */
export async function isStillSignedIn({ db, clock }: Runtime, { tokenId }: Viewer): Promise<boolean> {
  const token = await db.apiToken.findUnique({
    where: { id: tokenId },
    select: { expiresAt: true, user: { select: { disabledAt: true } } },
  });
  return token !== null && token.user.disabledAt === null && (!token.expiresAt || token.expiresAt > clock());
}
