import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { applyMigrations, newerMigrations } from '../db/migrate.ts';
import { type OpenOptions, openDatabase } from '../db/open.ts';
import { createProviders } from '../external-auth/provider-registry.ts';
import { openNotifications } from '../notifications.ts';
import { type Runtime, trackBackground } from '../runtime.ts';
import { checkKeys } from '../secrets/check-keys.ts';
import { openKeyring } from '../secrets/open-keyring.ts';

export interface OpenRuntimeOptions extends Pick<OpenOptions, 'share'> {
  /** Open also when the keys cannot read what is stored: for whoever looks into that. */
  anyKeys?: boolean;
  /** Another process of this gateway has looked, and has told what is not as it should be. */
  joins?: boolean;
}

export interface OpenRuntime {
  runtime: Runtime;
  /** Waits for background work, then closes the database. */
  close: () => Promise<void>;
}

/**
 * Opens the database, brings it up to date, and makes sure that the keys are the right ones.
 *
 * @throws OperatorError and what the database's driver throws
 */
export async function openRuntime(
  config: Config,
  log: Logger,
  { share, anyKeys = false, joins = false }: OpenRuntimeOptions = {},
): Promise<OpenRuntime> {
  const database = await openDatabase(config.database, { share });
  const { background, settled } = trackBackground(log);
  const notifications = openNotifications(database, log);
  const close = async () => {
    await settled();
    await notifications.close();
    await database.close();
  };
  try {
    const applied = await applyMigrations(database.connection);
    if (applied.length > 0) log.info({ migrations: applied }, 'applied migrations');
    // A release runs beside the next one, during an upgrade or after one was taken back.
    const newer = joins ? [] : await newerMigrations(database);
    if (newer.length > 0) log.warn({ migrations: newer }, 'the database is of a newer release');

    const { fetch } = globalThis;
    const clock = () => new Date();
    const runtime: Runtime = {
      config,
      db: database.db,
      keyring: openKeyring(config),
      notifications,
      providers: createProviders(config, { fetch, clock }),
      log,
      clock,
      fetch,
      background,
    };
    const missing = anyKeys || joins ? [] : await checkKeys(runtime);
    if (missing.length > 0) log.warn({ keyIds: missing }, 'some stored secrets need keys that are not set');
    return { runtime, close };
  } catch (error) {
    await close();
    throw error;
  }
}
