import type { Command } from 'commander';
import { parseConfig } from '../config.ts';
import { applyMigrations } from '../db/migrate.ts';
import { openDatabase } from '../db/open.ts';
import { print } from './with-runtime.ts';

/** `gatehouse migrate`: what `serve` does at its start, for whoever wants it done before. */
export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('Bring the database up to date. "serve" does so by itself.')
    .option('--json', 'for programs')
    .action(async ({ json }: { json?: boolean }) => {
      const database = await openDatabase(parseConfig(process.env).database, { share: true });
      try {
        const applied = await applyMigrations(database.connection);
        const words = applied.length > 0 ? `Applied: ${applied.join(', ')}.` : 'It is up to date already.';
        print(json, { applied }, words);
      } finally {
        await database.close();
      }
    });
}
