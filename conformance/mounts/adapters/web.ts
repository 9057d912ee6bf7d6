import type { IncomingMessage } from 'node:http'
import { type Adapter, isAt } from '../adapter.ts'

/** The bridge for every runtime that speaks fetch, on a server of Node. */
export const web: Adapter<'web'> = {
  name: 'web',
  package: '@throughline/mcp-http-core',
  framework: [],
  exceptions: [],
  async serve(routes) {
    const [{ getRequestListener }, { toFetchHandler }] = await Promise.all([
      import('@hono/node-server'),
      import('@throughline/mcp-http-core/web'),
    ])
    const context = (_request: Request, localAddress: string | undefined) => ({ localAddress })
    const mounted = routes.map((route) => ({ route, serve: toFetchHandler(route.serves, { context }) }))
    return getRequestListener((request, env) => {
      const { incoming } = env as { incoming: IncomingMessage }
      const found = mounted.find(({ route }) => isAt(route, incoming))
      if (found === undefined) return new Response(null, { status: 404 })
      return found.serve(request, incoming.socket.localAddress)
    })
  },
}
