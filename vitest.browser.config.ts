import { configDefaults, defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** Tests that drive a browser. They need Chromium, at CHROMIUM_PATH or /usr/bin/chromium. */
export default defineConfig({
  ...shared,
  test: {
    ...shared.test,
    include: ['test/browser/**/*.test.ts'],
    exclude: configDefaults.exclude,
    testTimeout: 120_000,
  },
});
