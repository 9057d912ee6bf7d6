import { vi } from 'vitest'

// The same tests on the major version before. A process of its own: both put their classes in place of the globals.
vi.mock('@hono/node-server', () => import('node-server-1'))

await import('./mount.test.ts')
await import('./middleware.test.ts')
await import('./client-leaves.test.ts')
