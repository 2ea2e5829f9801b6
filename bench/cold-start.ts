import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from './progress.ts';
import { type ServerKind, startServer } from './servers.ts';

/** Milliseconds from the start of the process until the first 200 of /readyz, on data that is there already. */
export async function measureStarts(
  kind: ServerKind,
  databaseUrl: string,
  times: number,
  progress: Progress,
): Promise<{ embedded: number[]; server: number[] }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  const embedded = { DATABASE_URL: '', DATA_DIR: dataDir };
  const time = async (what: string, env: Record<string, string>) => {
    const taken: number[] = [];
    for (let i = 1; i <= times; i += 1) {
      progress.update(`${what}: start ${i} of ${times} …`);
      const start = performance.now();
      const server = await startServer(kind, databaseUrl, env);
      taken.push(performance.now() - start);
      await server.stop();
    }
    return taken;
  };
  try {
    // The first start makes the data.
    await (await startServer(kind, databaseUrl, embedded)).stop();
    return {
      embedded: await time('start, embedded', embedded),
      server: await time('start, PostgreSQL', {}),
    };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
