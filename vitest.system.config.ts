import { configDefaults, defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** Tests that compare with programs of the system: ssh-keygen, git and the like. */
export default defineConfig({
  ...shared,
  test: {
    ...shared.test,
    include: ['test/system/**/*.test.ts'],
    exclude: configDefaults.exclude,
    testTimeout: 120_000,
  },
});
