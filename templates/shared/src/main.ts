import { createEndpoint } from '@throughline/mcp-http-core'
import { listen } from './app.ts'
import { buildServer } from './server.ts'
import { openStore } from './store.ts'

const { PORT = '3000', HOST = '127.0.0.1', ALLOWED_HOSTS = '', REDIS_URL } = process.env

const store = await openStore(REDIS_URL)
const endpoint = createEndpoint({
  server: () => buildServer(),
  backplane: store.backplane,
  allowedHosts: ALLOWED_HOSTS.split(/[\s,]+/).filter((host) => host !== ''),
})
const app = await listen(endpoint, { port: Number(PORT), host: HOST })
console.log(`MCP at http://${HOST}:${app.port}/mcp`)

/** Give the process more time than `drainMs` before it is killed. */
async function stop(): Promise<void> {
  await endpoint.close({ drainMs: 10_000 })
  await app.close()
  await store.close()
}

process.once('SIGTERM', stop)
process.once('SIGINT', stop)
