import compression from 'compression'
import cors from 'cors'
import helmet from 'helmet'
import { describeMiddleware, page } from '../../../test-support/adapters/describe-middleware.ts'
import { adapters } from './adapter.ts'

for (const adapter of adapters) {
  const name = 'compression, cors and helmet'
  // A threshold of 0 compresses everything it may.
  const before = [compression({ threshold: 0 }), cors({ origin: page, exposedHeaders: ['Mcp-Session-Id'] }), helmet()]
  const withParser = { name: `${name} and express.json()`, before: [...before, adapter.framework.json()] }
  describeMiddleware(adapter, [{ name, before }, withParser], { tellsAnyOrigin: true })
}
