// A node of a cluster, or one alone, in a process of its own: `node.mjs SETTINGS`.
import { type Backplane, createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { postgresBackplane } from '@throughline/mcp-http-postgres'
import { redisBackplane } from '@throughline/mcp-http-redis'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { listen } from '../targets/running-target.ts'
import { createServer1 } from '../targets/server1.ts'
import { toContent } from '../targets/tools.ts'
import type { Asked, NodeSettings, NodeStore, Told } from './node-process.ts'
import { sharedNow } from './shared-clock.ts'

const { store, hibernateAfterMs = 0 } = JSON.parse(process.argv[2] ?? '') as NodeSettings

const maxSessions = 100_000

const endpoint = createEndpoint({
  server: () => {
    const server = createServer1()
    // Says when it was sent: after the tool's own answer, which would be in its way.
    server.registerTool('stamp', {}, async () => {
      setTimeout(() => void server.server.sendLoggingMessage({ level: 'info', data: sharedNow() }), 5)
      return toContent('stamped')
    })
    return server
  },
  ...{ maxSessions, maxSessionsPerPrincipal: maxSessions, hibernateAfterMs },
  ...(store && { backplane: toBackplane(store) }),
})

function toBackplane(shared: NodeStore): Backplane {
  if ('postgresUrl' in shared) return timed(postgresBackplane(new Pool({ connectionString: shared.postgresUrl })))
  return timed(redisBackplane(new Redis({ port: shared.redisPort, host: '127.0.0.1' })))
}

let [appendedAt, writtenAt] = [Number.NaN, Number.NaN]

function timed(backplane: Backplane): Backplane {
  const { events } = backplane
  const append = events.appendAndPublish?.bind(events)
  if (!append) throw new Error('Expected a log that publishes with an append')
  events.appendAndPublish = (...given) => {
    appendedAt = sharedNow()
    return append(...given)
  }
  return backplane
}

const answers: Readonly<Record<Asked, () => number>> = {
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  heap() {
    for (let i = 0; i < 3; i++) globalThis.gc?.()
    return process.memoryUsage().heapUsed
  },
  sessions: () => endpoint.stats().sessions,
  appendedAt: () => appendedAt,
  writtenAt: () => writtenAt,
}

function tell(told: Told): void {
  process.send?.(told)
}

process.on('message', (asked: Asked) => tell({ asked, value: answers[asked]() }))
process.on('disconnect', () => process.exit(0))

const handle = toNodeHandler(endpoint)
const url = await listen((request, response) => {
  if (request.method === 'GET') {
    const write = response.write.bind(response)
    response.write = (...given: unknown[]) => {
      writtenAt = sharedNow()
      return write(...(given as Parameters<typeof write>))
    }
  }
  void handle(request, response)
})
tell({ url })
