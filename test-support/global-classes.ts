// Run before each file of tests. `@hono/node-server` puts classes of its own in place of these, and the files that come
// after it in the same process are not about that.
const kept = Symbol.for('throughline.tests.global-classes')

const names = ['Request', 'Response'] as const

type Kept = Readonly<Record<(typeof names)[number], PropertyDescriptor | undefined>>

const state = globalThis as { [kept]?: Kept }

state[kept] ??= {
  Request: Object.getOwnPropertyDescriptor(globalThis, 'Request'),
  Response: Object.getOwnPropertyDescriptor(globalThis, 'Response'),
}

for (const name of names) {
  const descriptor = state[kept][name]
  if (descriptor) Object.defineProperty(globalThis, name, descriptor)
}
