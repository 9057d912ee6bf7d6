import { once } from 'node:events'
import type { Server as HttpServer, ServerResponse } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { mcp } from '@throughline/mcp-http-hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { expect } from 'vitest'
import { endpointWith } from '../../../test-support/endpoints.ts'
import type { Exchange, StartOptions, Watched } from '../../../test-support/exchanges.ts'
import { type Listening, listen as listenOn } from '../../../test-support/listen.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'

export type NodeApp = Hono<{ Bindings: HttpBindings }>

/** Serves on a free port of loopback until the test is over. */
export function listen(app: Pick<Hono, 'fetch'>, hostname?: string): Promise<Listening> {
  return listenOn(createAdaptorServer({ fetch: app.fetch }) as HttpServer, hostname)
}

export interface MountOptions extends StartOptions {
  /** Middleware of the whole app. */
  readonly before?: readonly MiddlewareHandler[]
}

export interface Started extends Listening, Watched {}

/** An app with an endpoint at `/mcp` on `@hono/node-server`, and everything that could go wrong with it recorded. */
export async function start({ tools, options, before = [] }: MountOptions = {}): Promise<Started> {
  const { faults } = watchProcess()
  const errors: unknown[] = []
  const exchanges: Exchange[] = []
  const app: NodeApp = new Hono()
  const endpoint = endpointWith(tools, { abandonAfterMs: 100, onError: (error) => errors.push(error), ...options })
  app.use(async (c, next) => {
    const { incoming, outgoing } = c.env
    exchanges.push({ request: incoming, response: outgoing as ServerResponse, closed: once(outgoing, 'close') })
    await next()
    if (c.error) errors.push(c.error)
  })
  for (const middleware of before) app.use(middleware)
  app.all('/mcp', mcp(endpoint))
  app.onError((error, c) => {
    errors.push(error)
    return c.text('error handler of the app', 500)
  })
  const listening = await listen(app as unknown as Hono)
  const expectNoFault = (): void => expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  return { ...listening, url: `${listening.origin}/mcp`, endpoint, exchanges, expectNoFault }
}
