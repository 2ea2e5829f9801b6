import type { Database } from '../../../src/db/client.ts';
import type { User } from '../../../src/generated/prisma/client.ts';
import { sha256 } from '../../../src/secrets/hash.ts';

export interface Viewer {
  user: User;
  tokenId: string;
}

/** As Gatehouse: last use is written at most this often. */
export const LAST_USE_INTERVAL_MS = 60_000;

export function tokenOf(authorization: string | undefined): string | null {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** The token check of Gatehouse, as one would write it on Prisma. The user comes along: `viewer` needs no query. */
export async function authenticate(db: Database, authorization: string | undefined): Promise<Viewer | null> {
  const token = tokenOf(authorization);
  if (!token) return null;
  const row = await db.apiToken.findUnique({ where: { tokenHash: sha256(token) }, include: { user: true } });
  const now = new Date();
  if (!row || row.user.disabledAt || (row.expiresAt && row.expiresAt <= now)) return null;
  if (!row.lastUsedAt || now.getTime() - row.lastUsedAt.getTime() >= LAST_USE_INTERVAL_MS) {
    const unchanged = { id: row.id, lastUsedAt: row.lastUsedAt };
    void db.apiToken.updateMany({ where: unchanged, data: { lastUsedAt: now } });
  }
  return { user: row.user, tokenId: row.id };
}
