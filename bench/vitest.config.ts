import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['bench/test/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
})
