import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server to be measured, listening. */
export interface RunningTarget {
  readonly url: string
  /** Sends one notification to every session's standalone stream, where the target can. */
  readonly notify?: () => void | Promise<void>
  /** Tells every stream of `subscriptions/listen` that the list of tools has changed, where the target can. */
  readonly change?: () => void | Promise<void>
  /** Calls `echo` for itself, of a target that is called in its own process. Gives the number of right answers. */
  readonly call?: () => Promise<number>
}

/** The notification of W8. Readers count the word in its data. */
export const announcement = {
  method: 'notifications/message',
  params: { level: 'info' as const, logger: 'bench', data: 'something happened' },
}

/** Listens on a free port of 127.0.0.1; the endpoint is at `/mcp`. */
export async function listen(handler: RequestListener): Promise<string> {
  // Longer than any slice of others takes: who keeps to a connection is not to lose it between two of its own.
  const server = createServer({ keepAliveTimeout: 60_000 }, handler)
  // Thousands of clients connect at once.
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, resolve))
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}/mcp`
}
