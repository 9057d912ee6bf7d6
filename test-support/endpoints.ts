import { expect, onTestFinished, vi } from 'vitest'
import { createEndpoint, type Endpoint, type EndpointOptions } from '../packages/core/src/index.ts'
import { serverWith, type Tool } from './sdk-server.ts'

/** An endpoint that ends with the test. */
export function endpointWith(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Endpoint {
  const endpoint = createEndpoint({ server: serverWith(tools), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return endpoint
}

export interface WatchedEndpoint {
  readonly endpoint: Endpoint
  /** What `onError` was told. */
  readonly errors: unknown[]
}

/** An endpoint that soon abandons the calls of clients who left, and whose errors the test sees. */
export function watchedEndpoint(
  tools: Record<string, Tool> = {},
  options: Partial<EndpointOptions> = {},
): WatchedEndpoint {
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  return { endpoint: endpointWith(tools, { abandonAfterMs: 100, onError, ...options }), errors }
}

/** Waits until the endpoint holds nothing but the sessions themselves. */
export async function settle(endpoint: Endpoint, sessions = 1): Promise<void> {
  await vi.waitFor(
    () => {
      const { connections, calls, streams, questions, detachedCalls, sessions: live } = endpoint.stats()
      // Each session has its standalone stream.
      expect({ connections, calls, streams, questions, detachedCalls, live }).toEqual({
        connections: 0,
        calls: 0,
        streams: sessions,
        questions: 0,
        detachedCalls: 0,
        live: sessions,
      })
    },
    { timeout: 3_000, interval: 10 },
  )
}
