/**
 * `npm run migration -- NAME` writes the SQL that leads from the migrations to prisma/schema.prisma into a new
 * migration; `npm run migration -- --check` fails when there is any.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { migrationList } from '../src/db/migrate.ts';
import { everything, openSchemaEngine } from '../src/db/schema-engine.ts';

const name = process.argv[2];
if (!name) fail('Usage: npm run migration -- NAME | --check');

const schema = readFileSync('prisma/schema.prisma', 'utf8');
const sql = await pendingSql(schema);
if (name === '--check') {
  if (sql) fail(`prisma/migrations lacks this; run: npm run migration -- NAME\n\n${sql}`);
} else if (sql) {
  if (!/^[a-z0-9_]+$/.test(name)) fail('NAME takes lower-case letters, digits and underscores.');
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const dir = join('prisma/migrations', `${stamp}_${name}`);
  mkdirSync(dir);
  writeFileSync(join(dir, 'migration.sql'), sql);
  process.stdout.write(`Wrote ${dir}/migration.sql. Read it before you commit it.\n`);
} else {
  process.stdout.write('The migrations lead to prisma/schema.prisma already.\n');
}

async function pendingSql(to: string): Promise<string> {
  // The engine replays the migrations into an empty database to see what they lead to: one in memory.
  const shadow = await PGlite.create();
  try {
    const engine = await openSchemaEngine(new PrismaPGlite(shadow), to);
    const { stdout } = await engine.diff({
      from: { tag: 'migrations', ...migrationList() },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: to }] },
      script: true,
      exitCode: null,
      filters: everything,
    });
    const text = stdout?.trim() ?? '';
    return text === '-- This is an empty migration.' ? '' : `${text}\n`;
  } finally {
    await shadow.close();
  }
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
