// One node of the cluster. Each is a process of its own; they know of each other through Redis alone.
import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import { inspector } from '@throughline/mcp-http-inspector'
import { redisBackplane } from '@throughline/mcp-http-redis'
import express from 'express'
import { Redis } from 'ioredis'
import { buildServer } from './server.ts'

const { REDIS_URL = 'redis://127.0.0.1:6379', PORT = '3000' } = process.env

const client = new Redis(REDIS_URL)
client.on('error', (error) => console.error(error.message))

const endpoint = createEndpoint({ server: () => buildServer(), backplane: redisBackplane(client) })
const app = express()
app.all('/mcp', mcp(endpoint))
// Whoever is on this machine may look.
app.all('/inspector', mcp(inspector(endpoint, { allow: () => true })))
const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`))

// A node that dies without it costs its calls, and some seconds. A deploy should not.
process.once('SIGTERM', async () => {
  // First, so that nginx finds the other nodes; what has come is answered, and sessions are handed over.
  server.close()
  await endpoint.close()
  server.closeAllConnections()
  client.disconnect()
})
