import { createBatches } from '../db/concurrent-batches.ts';
import { perRuntime, type Runtime } from '../runtime.ts';
import { isScope } from './scopes.ts';
import type { Viewer } from './viewer.ts';

/** What a token check needs to know of a token. */
export interface TokenRow {
  viewer: Viewer;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

/** Reads tokens by the SHA-256 of their text. Null for one that is unknown. */
export type ReadTokenRow = (tokenHash: Uint8Array<ArrayBuffer>) => Promise<TokenRow | null>;

/**
 * The longest that a revoked token works in another process when the news of it is lost. In the process that revoked
 * it, it stops at once; elsewhere as soon as the notification is there, which takes milliseconds.
 */
const TOKEN_CACHE_MS = 5_000;

const MAX_TOKENS = 20_000;

/** The reader of a process: concurrent checks share a statement, and on a server, rows are kept for seconds. */
export const tokenRows = perRuntime(createReader);

function createReader({ db, notifications }: Runtime): ReadTokenRow {
  const read = createBatches<Uint8Array<ArrayBuffer>, TokenRow | null>(
    async (hashes) => {
      const rows = await db.apiToken.findMany({
        where: { tokenHash: { in: [...hashes] } },
        include: { user: true },
      });
      const byHash = new Map(rows.map((row) => [nameOf(row.tokenHash), row]));
      return hashes.map((hash) => {
        const row = byHash.get(nameOf(hash));
        if (!row) return null;
        const { id: tokenId, user, expiresAt, lastUsedAt } = row;
        const scopes = new Set(row.scopes.filter(isScope));
        return { viewer: { user, tokenId, scopes }, expiresAt, lastUsedAt };
      });
    },
    { maxBatchSize: 100, lanes: 2 },
  );

  const kept = new Map<string, { row: TokenRow; until: number }>();
  /** Counts what may have changed a row: a read that began before must not be kept after. */
  let changes = 0;
  notifications.subscribe((heard) => {
    if (heard !== 'missed' && heard.kind !== 'api_tokens') return;
    changes += 1;
    if (heard === 'missed') return kept.clear();
    for (const [name, { row }] of kept) if (row.viewer.user.id === heard.userId) kept.delete(name);
  });

  return async (tokenHash) => {
    // Nothing is kept unless the news of a revocation reaches us: a command beside an embedded database sends none.
    if (!notifications.hearsOthers()) return read(tokenHash);
    const name = nameOf(tokenHash);
    const known = kept.get(name);
    if (known && known.until > performance.now()) return known.row;
    const changesBefore = changes;
    const row = await read(tokenHash);
    kept.delete(name);
    // Unknown tokens are not kept: one that was just made works at once, and strangers cannot fill the memory.
    if (row && changes === changesBefore) {
      if (kept.size >= MAX_TOKENS) kept.clear();
      kept.set(name, { row, until: performance.now() + TOKEN_CACHE_MS });
    }
    return row;
  };
}

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('base64');
}
