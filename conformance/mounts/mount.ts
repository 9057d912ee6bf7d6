import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Mountable } from '@throughline/mcp-http-core'
import { routerPrefix, type ServeOptions } from './adapter.ts'
import { type AdapterName, findAdapter } from './adapters.ts'

export interface MountOptions extends ServeOptions {
  /** `0` takes a free one. */
  readonly port: number
}

/** An HTTP server that is listening. */
export interface Mounted {
  readonly url: string
  /** Stops listening, and ends what connections are left. */
  close(): Promise<void>
}

const path = '/mcp'

/** Serves an endpoint with one of the adapters on 127.0.0.1. */
export async function mount(adapter: AdapterName, serves: Mountable, options: MountOptions): Promise<Mounted> {
  const handler = await findAdapter(adapter).serve([{ path, serves }], options)
  return listen(handler, options)
}

async function listen(handler: RequestListener, { port, nested }: MountOptions): Promise<Mounted> {
  const server = createServer(handler)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}${nested ? routerPrefix : ''}${path}`,
    close: () => closeServer(server),
  }
}

// The endpoint has drained by now: what is still open after this is not being read.
const lingerMs = 500

async function closeServer(server: Server): Promise<void> {
  const linger = setTimeout(() => server.closeAllConnections(), lingerMs)
  await new Promise((resolve) => server.close(resolve))
  clearTimeout(linger)
}
