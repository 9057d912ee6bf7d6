import { createEndpoint, type Endpoint, type EndpointOptions } from '../../packages/core/src/index.ts'
import { type Handlers, TestServer } from './test-server.ts'

/** An endpoint over test servers, whose lost errors the test sees. */
export function createTestEndpoint(
  handlers: Handlers = {},
  options: Partial<EndpointOptions> = {},
): { endpoint: Endpoint; servers: TestServer[]; errors: unknown[] } {
  const servers: TestServer[] = []
  const errors: unknown[] = []
  const endpoint = createEndpoint({
    server: () => {
      const server = new TestServer(handlers)
      servers.push(server)
      return server
    },
    onError: (error) => errors.push(error),
    ...options,
  })
  return { endpoint, servers, errors }
}
