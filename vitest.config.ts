import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'conformance/test/**/*.test.ts',
      'examples/**/*.test.ts',
      'scripts/**/*.test.ts',
      'soak/**/*.test.ts',
    ],
    // Stores by way of other clients: in CI, and when asked for.
    exclude: [...configDefaults.exclude, ...(process.env.STORES === 'more' ? [] : ['packages/*/test/more/**'])],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Most of the time is spent waiting, so that two processors serve three.
    maxWorkers: 3,
    maxConcurrency: 8,
  },
})
