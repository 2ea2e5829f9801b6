import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import type { Runtime } from '../runtime.ts';
import type { AppEnv } from './app-env.ts';

/** A probe that waits longer has given up. */
const DATABASE_TIMEOUT_MS = 2_000;

/**
 * `/healthz`: the process answers; a supervisor restarts it when not. `/readyz`: it can serve; a load balancer sends
 * nothing when not, which is while the database is away and from the moment that a shutdown begins.
 */
export function createHealthRoutes({ db }: Runtime, stopping: AbortSignal): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/healthz', (c) => c.text('ok'));
  app.get('/readyz', async (c) => {
    if (stopping.aborted) return c.text('stopping', 503, { 'retry-after': '5' });
    return (await answers(db)) ? c.text('ok') : c.text('the database is away', 503, { 'retry-after': '5' });
  });
  return app;
}

async function answers(db: Runtime['db']): Promise<boolean> {
  const patience = new AbortController();
  const late = sleep(DATABASE_TIMEOUT_MS, false, { signal: patience.signal, ref: false }).catch(() => false);
  const query = db.$queryRaw`SELECT 1`.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([query, late]);
  patience.abort();
  return result;
}
