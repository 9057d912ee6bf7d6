import type { AddressInfo } from 'node:net'
import { createEndpoint, mcp } from '@throughline/mcp-http-fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { expect, onTestFinished } from 'vitest'
import type { Exchange, StartOptions, Watched } from '../../../test-support/exchanges.ts'
import { serverWith } from '../../../test-support/sdk-server.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'

/** One line of Fastify's log. */
export interface LogEntry {
  readonly level: number
  readonly msg: string
  readonly reqId?: string
  readonly err?: { readonly message: string }
  readonly [name: string]: unknown
}

export interface Logged {
  readonly app: FastifyInstance
  readonly log: readonly LogEntry[]
  /** Lines of level warn and worse. */
  readonly faults: () => readonly LogEntry[]
}

/** An app whose log can be read. */
export function createApp(options: FastifyServerOptions = {}, framework = Fastify): Logged {
  const log: LogEntry[] = []
  const write = (line: string): void => {
    log.push(JSON.parse(line) as LogEntry)
  }
  const app = framework({ ...options, logger: { level: 'info', stream: { write } } })
  return { app, log, faults: () => log.filter(({ level }) => level >= 40) }
}

/** Serves on a free port of loopback until the test is over. */
export async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

export interface Started extends Logged, Watched {}

export interface MountOptions extends StartOptions {
  /** What comes before the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  readonly fastify?: FastifyServerOptions
}

/** An app with an endpoint at `/mcp`. */
export async function start({ tools, options, before, fastify }: MountOptions = {}): Promise<Started> {
  const { faults } = watchProcess()
  const errors: unknown[] = []
  const logged = createApp(fastify)
  const { app } = logged
  const exchanges: Exchange[] = []
  app.addHook('onRequest', (request, reply, done) => {
    const closed = new Promise<void>((resolve) => reply.raw.once('close', resolve))
    exchanges.push({ request: request.raw, response: reply.raw, closed })
    done()
  })
  await before?.(app)
  const endpoint = createEndpoint({
    server: serverWith(tools),
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  app.register(mcp, { prefix: '/mcp', endpoint })
  const url = `${await listen(app)}/mcp`
  const expectNoFault = (): void =>
    expect({ errors, faults, logged: logged.faults() }).toEqual({ errors: [], faults: [], logged: [] })
  return { ...logged, url, endpoint, exchanges, expectNoFault }
}
