import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  // As Node resolves it: Vite would take graphql's ES module, a second copy beside everybody else's.
  resolve: { alias: { graphql: 'graphql/index.js' } },
  test: {
    include: ['test/**/*.test.ts'],
    // These need programs of the system, and have commands of their own.
    exclude: [...configDefaults.exclude, 'test/browser/**', 'test/system/**'],
    globalSetup: 'test/global-setup.ts',
    // Each file has a database of its own; more files at once than cores only makes all of them slower.
    maxWorkers: 2,
    // Loading everything anew for each file takes a fifth of the time. What the product keeps in memory belongs to a
    // gateway, of which each file has its own.
    isolate: false,
    // As the gateway has it.
    execArgv: ['--wasm-tiering-budget=30000000'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { shuffle: true },
  },
});
