import { vi } from 'vitest'
import { describeClosing } from '../../../test-support/adapters/describe-closing.ts'
import { describeConnections } from '../../../test-support/adapters/describe-connections.ts'
import { describeSlowReaders } from '../../../test-support/adapters/describe-slow-readers.ts'

// The same tests on the major version before. A process of its own: both put their classes in place of the globals.
vi.mock('@hono/node-server', () => import('node-server-1'))

const { adapter } = await import('./adapter.ts')
describeConnections({ ...adapter, emptyType: 'text/plain; charset=UTF-8' })
describeClosing(adapter)
describeSlowReaders(adapter)

await import('./mount.test.ts')
await import('./middleware.test.ts')
await import('./client-leaves.test.ts')
