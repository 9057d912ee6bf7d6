import { mcp } from '@throughline/mcp-http-fastify'
import type { FastifyServerOptions } from 'fastify'
import { describeClosing } from '../../../test-support/adapters/describe-closing.ts'
import { describeConnections } from '../../../test-support/adapters/describe-connections.ts'
import { describeHttp2 } from '../../../test-support/adapters/describe-http2.ts'
import { describeSlowReaders } from '../../../test-support/adapters/describe-slow-readers.ts'
import { adapters, createApp, serve } from './adapter.ts'

for (const adapter of adapters) {
  describeConnections(adapter)
  describeClosing(adapter)
  describeSlowReaders(adapter)
  describeHttp2(adapter.name, async (endpoint) => {
    const logged = createApp({ http2: true } as FastifyServerOptions, adapter.framework)
    logged.app.register(mcp, { prefix: '/mcp', endpoint })
    return serve(logged)
  })
}
