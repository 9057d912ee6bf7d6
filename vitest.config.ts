import { configDefaults, defineConfig } from 'vitest/config'
import { SecondTries } from './test-support/second-tries.ts'

export default defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'conformance/test/**/*.test.ts',
      'examples/**/*.test.ts',
      'scripts/**/*.test.ts',
      'soak/**/*.test.ts',
    ],
    // Stores by way of other clients, older majors, the faults that chaos makes, doubles and targets that keep the suite
    // waiting: in CI, and when asked for.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.STORES === 'more' ? [] : ['packages/*/test/more/**', 'examples/nats/**']),
      ...(process.env.MOUNTS === 'more' ? [] : ['conformance/test/{mounts/express4,mounts/koa2,everything}.test.ts']),
      ...(process.env.DOUBLES === 'more'
        ? []
        : ['conformance/test/{peer-sdk1,hostile-targets,one-mistake,doubles,doubles-streams}.test.ts']),
      ...(process.env.CHAOS === 'more' ? [] : ['soak/chaos/test/faults.test.ts']),
    ],
    // Where the machine stands still for a second, a test that waits for as long fails; those are named at the end. Tests
    // with random input say `retry: 0`: theirs would be other input.
    retry: Number(process.env.RETRIES ?? 1),
    reporters: ['default', new SecondTries()],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Most of the time is spent waiting, so that two processors serve four. Stages of CI, which wait less, take two or three.
    maxWorkers: 4,
    maxConcurrency: 8,
  },
})
