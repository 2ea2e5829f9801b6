import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundle } from '../scripts/bundle.ts';
import { startEmbeddedDatabase } from '../src/db/embedded.ts';
import { applyMigrations, listMigrations } from '../src/db/migrate.ts';
import { sha256Hex } from '../src/secrets/hash.ts';
import { onServer } from './harness-server.ts';

/** The migrated, empty database that each test file gets a copy of. */
export type DatabaseTemplate =
  | { kind: 'embedded'; dataDir: string }
  | { kind: 'server'; url: string; name: string };

declare module 'vitest' {
  export interface ProvidedContext {
    databaseTemplate: DatabaseTemplate;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // What tests start as a process is what ships.
  await bundle();
  const url = process.env.TEST_DATABASE_URL;
  if (url) {
    // A slip of the hand must not reach a database that somebody needs.
    if (!/test/i.test(new URL(url).pathname)) {
      throw new Error('TEST_DATABASE_URL must name a database with "test" in its name.');
    }
    const name = `gatehouse_test_template_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
    await onServer(url, `CREATE DATABASE ${name}`);
    const template = new URL(url);
    template.pathname = `/${name}`;
    await applyMigrations({ connectionString: template.href });
    project.provide('databaseTemplate', { kind: 'server', url, name });
    return () => onServer(url, `DROP DATABASE ${name}`);
  }
  // Making a database takes seconds, a copy none: the template is kept for as long as the migrations stay the same.
  const fingerprint = sha256Hex(JSON.stringify(listMigrations())).slice(0, 16);
  const dataDir = join(tmpdir(), `gatehouse-test-template-${fingerprint}`);
  if (!existsSync(dataDir)) {
    const making = mkdtempSync(join(tmpdir(), 'gatehouse-test-making-'));
    const database = await startEmbeddedDatabase(making, { durable: false });
    await database.ready;
    await applyMigrations({ host: database.socketDir, user: 'postgres', database: 'postgres' });
    await database.close();
    try {
      renameSync(making, dataDir);
    } catch {
      // Another run was faster.
      rmSync(making, { recursive: true, force: true });
    }
  }
  project.provide('databaseTemplate', { kind: 'embedded', dataDir });
  return async () => {};
}
