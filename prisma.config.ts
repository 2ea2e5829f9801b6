import { defineConfig } from 'prisma/config';

// Prisma's CLI downloads its native schema engine before any command, `generate` included, although
// generating does not use it. Naming an existing file satisfies it, so that nothing is fetched.
// Migrations run through the same engine as WebAssembly: see src/db/migrate.ts.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
