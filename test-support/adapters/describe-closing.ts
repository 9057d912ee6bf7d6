import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { McpClient, ping } from '../client/mcp-client.ts'
import { RawConnection } from '../client/raw-connection.ts'
import { within } from '../waiting.ts'
import type { Adapter } from './adapter.ts'
import { start } from './start.ts'

/** A server that closes waits for its connections: none is kept for a request that cannot come. */
export function describeClosing<M>(adapter: Adapter<M>): void {
  describe(`${adapter.name}: a server that closes`, () => {
    test('is closed soon after the endpoint has ended the standalone streams', async () => {
      const { url, port, server, endpoint, expectNoFault } = await start(adapter)
      const { headers } = await McpClient.open(url)
      const idle = await RawConnection.open(port)
      await idle.ask({ method: 'POST', headers, body: ping })
      const standalone = await RawConnection.open(port)
      standalone.send({ method: 'GET', headers })
      expect((await standalone.readHead()).headers.connection).not.toBe('close')
      const closed = once(server, 'close')
      // Node closes what is idle now. The stream ends later, and its connection would be kept for seconds.
      server.close()
      await endpoint.close({ drainMs: 1_000 })
      await within(1_000, closed)
      await Promise.all([idle.closed, standalone.closed])
      expectNoFault()
    })

    test('still answers what was asked behind a stream, on the same connection', async () => {
      const { url, port, endpoint, expectNoFault } = await start(adapter)
      const { headers } = await McpClient.open(url)
      const connection = await RawConnection.open(port)
      connection.send({ method: 'GET', headers })
      await connection.readHead()
      connection.send({ method: 'POST', headers, body: ping })
      const asked = await McpClient.open(url)
      await asked.textOf('echo', { text: 'the request before has arrived' })
      await endpoint.close({ drainMs: 1_000 })
      while ((await connection.readChunk()) !== '');
      expect((await connection.readHead()).status).toBe(200)
      await within(1_000, connection.closed)
      expectNoFault()
    })
  })
}
