// A node of a cluster, or one alone, in a process of its own: `node.mjs REDIS_PORT HIBERNATE_AFTER_MS`, 0 for none.
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { redisBackplane } from '@throughline/mcp-http-redis'
import { Redis } from 'ioredis'
import { listen } from '../targets/running-target.ts'
import { createServer1 } from '../targets/server1.ts'
import { toContent } from '../targets/tools.ts'
import type { Asked, Told } from './node-process.ts'

const [redisPort = 0, hibernateAfterMs = 0] = process.argv.slice(2).map(Number)

const maxSessions = 100_000

const endpoint = createEndpoint({
  server: () => {
    const server = createServer1()
    // Says when it was sent, by the clock that all processes of the machine share.
    server.registerTool('stamp', {}, async () => {
      const data = performance.timeOrigin + performance.now()
      await server.server.sendLoggingMessage({ level: 'info', data })
      return toContent('stamped')
    })
    return server
  },
  ...{ maxSessions, maxSessionsPerPrincipal: maxSessions, hibernateAfterMs },
  ...(redisPort > 0 && { backplane: redisBackplane(new Redis({ port: redisPort, host: '127.0.0.1' })) }),
})

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
}

function tell(told: Told): void {
  process.send?.(told)
}

process.on('message', (asked: Asked) => tell({ asked, value: answers[asked]() }))
process.on('disconnect', () => process.exit(0))
tell({ url: await listen(toNodeHandler(endpoint)) })
