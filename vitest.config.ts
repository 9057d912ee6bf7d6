import { configDefaults, defineConfig } from 'vitest/config'
import { SecondTries } from './test-support/second-tries.ts'

// Stores by way of other clients, older majors, the faults that chaos makes, doubles and targets that keep the suite
// waiting: in CI, and when asked for.
const exclude = [
  ...configDefaults.exclude,
  ...(process.env.STORES === 'more' ? [] : ['packages/*/test/more/**', 'examples/nats/**']),
  ...(process.env.MOUNTS === 'more' ? [] : ['conformance/test/{mounts/express4,mounts/koa2,everything}.test.ts']),
  ...(process.env.DOUBLES === 'more'
    ? []
    : ['conformance/test/{peer-sdk1,hostile-targets,one-mistake,doubles,doubles-streams}.test.ts']),
  ...(process.env.CHAOS === 'more' ? [] : ['soak/chaos/test/faults.test.ts']),
]

// The simulation puts a clock of its own in place of the one that a module takes hold of when it is loaded, and each major of
// `@hono/node-server` its own `Request` and `Response` in place of the global ones.
const alone = ['packages/core/test/simulation/*.test.ts', 'packages/hono/test/*.test.ts', '**/mounts/hono.test.ts']

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          // The files of one worker share what they import: a third of all the time went into loading that anew.
          ...{ name: 'together', isolate: false, setupFiles: ['test-support/global-classes.ts'] },
          include: [
            'packages/*/test/**/*.test.ts',
            'conformance/test/**/*.test.ts',
            'examples/**/*.test.ts',
            'scripts/**/*.test.ts',
            'soak/**/*.test.ts',
          ],
          exclude: [...exclude, ...alone],
        },
      },
      { extends: true, test: { name: 'alone', include: alone, exclude } },
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
