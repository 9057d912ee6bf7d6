// One node of the cluster. Each is a process of its own; they know of each other through Redis alone.
import { createEndpoint, mcp } from '@throughline/mcp-http-express'
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
const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`))

// A node that dies without it costs its calls, and some seconds. A deploy should not.
process.once('SIGTERM', async () => {
  await endpoint.close()
  server.close()
  server.closeAllConnections()
  client.disconnect()
})
