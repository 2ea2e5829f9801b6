import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Database } from './db/client.ts';
import type { Providers } from './external-auth/provider-registry.ts';
import type { Notifications } from './notifications.ts';
import type { Keyring } from './secrets/keyring.ts';

/** What services need of the running process. Tests make one of their own. */
export interface Runtime {
  config: Config;
  db: Database;
  keyring: Keyring;
  notifications: Notifications;
  providers: Providers;
  log: Logger;
  clock: () => Date;
  /** For outgoing calls; tests reach their upstreams through it. */
  fetch: typeof globalThis.fetch;
  /** Work that goes on after the answer. A failure is logged; shutdown waits for it. */
  background: (name: string, work: Promise<unknown>) => void;
}

/** What a module makes once for a running process, and keeps in memory. Tests have several of these at once. */
export function perRuntime<Kept>(make: (runtime: Runtime) => Kept): (runtime: Runtime) => Kept {
  const kept = new WeakMap<Runtime, Kept>();
  return (runtime) => {
    const known = kept.get(runtime) ?? make(runtime);
    kept.set(runtime, known);
    return known;
  };
}

/** Keeps track of background work. */
export function trackBackground(log: Logger): {
  background: Runtime['background'];
  settled: () => Promise<void>;
} {
  const running = new Set<Promise<unknown>>();
  return {
    background(name, work) {
      const tracked = work
        .catch((error) => log.error({ err: error, work: name }, 'background work failed'))
        .finally(() => running.delete(tracked));
      running.add(tracked);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
