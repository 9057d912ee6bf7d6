import { once } from 'node:events'
import { expect, vi } from 'vitest'
import type { Endpoint, EndpointOptions } from '../../packages/core/src/index.ts'
import { watchedEndpoint } from '../endpoints.ts'
import type { Tool } from '../sdk-server.ts'
import { watchProcess } from '../watch-process.ts'
import type { Adapter, AppServer, NodeExchange } from './adapter.ts'

/** What a server saw of one request. */
export interface Exchange extends NodeExchange {
  readonly closed: Promise<unknown>
}

export interface StartOptions<M> {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
  /** What comes in front of the endpoint. */
  readonly before?: readonly M[]
}

export interface Started extends AppServer {
  readonly url: string
  readonly endpoint: Endpoint
  /** What `onError` was told. */
  readonly reported: unknown[]
  /** Every exchange so far, the newest last. */
  readonly exchanges: readonly Exchange[]
  /** Fails when anything was thrown, rejected, warned of, printed, reported, or handed to the app. */
  readonly expectNoFault: () => void
}

/** Serves an app with an endpoint at `/mcp`, and records everything that could go wrong with it. */
export async function start<M>(adapter: Adapter<M>, given: StartOptions<M> = {}): Promise<Started> {
  const { tools, options, before = [] } = given
  const { faults } = watchProcess()
  const exchanges: Exchange[] = []
  const { endpoint, errors: reported } = watchedEndpoint(tools, options)
  const recorder = adapter.inFront((exchange) => {
    exchanges.push({ ...exchange, closed: once(exchange.response, 'close') })
  })
  const app = { before: [recorder, ...before], routes: [{ path: '/mcp', mounted: endpoint }] }
  const server = await adapter.serve(app)
  const expectNoFault = (): void => {
    expect({ errors: server.errors, reported, faults }).toEqual({ errors: [], reported: [], faults: [] })
  }
  return { ...server, url: `${server.origin}/mcp`, endpoint, reported, exchanges, expectNoFault }
}

/** The newest exchange, once there are `count`. */
export async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}
