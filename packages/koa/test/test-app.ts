import { createEndpoint, type Endpoint, type EndpointOptions } from '@throughline/mcp-http-koa'
import type Koa from 'koa'
import { onTestFinished } from 'vitest'
import { serverWith, type Tool } from '../../../test-support/test-server.ts'

/** Makes an endpoint that ends with the test. */
export function endpointWith(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Endpoint {
  const endpoint = createEndpoint({ server: serverWith(tools), ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return endpoint
}

/** What the app was told of. */
export function collectErrors(app: Koa): Error[] {
  const errors: Error[] = []
  app.on('error', (error: Error) => errors.push(error))
  return errors
}
