import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, vi } from 'vitest'
import type { Endpoint, EndpointOptions } from '../packages/core/src/index.ts'
import type { Tool } from './sdk-server.ts'

/** What a server saw of one request. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly closed: Promise<unknown>
}

export interface StartOptions {
  readonly tools?: Record<string, Tool>
  readonly options?: Partial<EndpointOptions>
}

/** An app with an endpoint, and everything that could go wrong with it recorded. */
export interface Watched {
  readonly url: string
  readonly endpoint: Endpoint
  /** Every exchange so far, the newest last. */
  readonly exchanges: readonly Exchange[]
  /** Fails when anything was thrown, rejected, warned of, printed, or handed to the app. */
  readonly expectNoFault: () => void
}

/** The newest exchange, once there are `count`. */
export async function newest(exchanges: readonly Exchange[], count: number): Promise<Exchange> {
  await vi.waitFor(() => expect(exchanges.length).toBe(count), { interval: 2 })
  return exchanges.at(-1) as Exchange
}
