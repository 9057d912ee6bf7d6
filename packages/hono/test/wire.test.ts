import { createServer } from 'node:http2'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono } from 'hono'
import { describeClosing } from '../../../test-support/adapters/describe-closing.ts'
import { describeConnections } from '../../../test-support/adapters/describe-connections.ts'
import { describeHttp2 } from '../../../test-support/adapters/describe-http2.ts'
import { describeSlowReaders } from '../../../test-support/adapters/describe-slow-readers.ts'
import { adapter, listen } from './adapter.ts'

describeConnections(adapter)
describeClosing(adapter)
describeSlowReaders(adapter)
describeHttp2(adapter.name, async (endpoint) => {
  const errors: unknown[] = []
  const app = new Hono().all('/mcp', mcp(endpoint)).onError((error, c) => {
    errors.push(error)
    return c.text('error handler of the app', 500)
  })
  return { ...(await listen(app, createServer)), errors }
})
