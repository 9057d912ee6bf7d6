import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping } from '../client/mcp-client.ts'
import { RawConnection, type RawRequest, toHead } from '../client/raw-connection.ts'
import { acceptBoth } from '../client/reply.ts'
import { holding } from '../sdk-server.ts'
import type { Adapter } from './adapter.ts'
import { start } from './start.ts'

const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }

/** What goes over a connection, byte for byte, and to whom. */
export function describeConnections<M>(adapter: Adapter<M>): void {
  describe(`${adapter.name}: a connection`, () => {
    test('is kept for the next request, and carries the heads that the protocol asks for', async () => {
      const { url, port, expectNoFault } = await start(adapter)
      const { headers } = await McpClient.open(url)
      const connection = await RawConnection.open(port)
      const accepted = await connection.ask({ method: 'POST', headers, body: initialized })
      expect([accepted.line, accepted.body]).toEqual(['HTTP/1.1 202 Accepted', ''])
      expect(accepted.headers).toMatchObject({ 'content-length': '0', 'cache-control': 'no-store' })
      expect(accepted.headers['content-type']).toBe(adapter.emptyType)
      expect(accepted.headers).not.toHaveProperty('transfer-encoding')

      const answer = await connection.ask({ method: 'POST', headers, body: ping })
      expect(answer.line).toBe('HTTP/1.1 200 OK')
      expect(answer.headers).toMatchObject({ 'content-type': adapter.jsonType, 'cache-control': 'no-store' })
      expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)))

      const head = await connection.ask({ method: 'HEAD', headers })
      expect([head.line, head.headers.allow]).toEqual(['HTTP/1.1 405 Method Not Allowed', 'GET, POST, DELETE'])

      const ended = await connection.ask({ method: 'DELETE', headers })
      expect(ended.line).toBe('HTTP/1.1 204 No Content')
      expect(ended.headers['content-type']).toBe(adapter.emptyType)
      for (const name of ['content-length', 'transfer-encoding']) expect(ended.headers).not.toHaveProperty(name)
      expect(connection.socket.destroyed).toBe(false)
      connection.socket.destroy()
      expectNoFault()
    })

    test('gets a 413 for a chunked body that is too large, while it comes in', async () => {
      const { url, port, expectNoFault } = await start(adapter, { options: { maxBodyBytes: 10_000 } })
      const { headers } = await McpClient.open(url)
      const connection = await RawConnection.open(port)
      const framing = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
      connection.write(toHead('POST', '/mcp', { host: 'localhost', accept: acceptBoth, ...headers, ...framing }))
      connection.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`)
      expect((await connection.readHead()).status).toBe(413)
      connection.socket.destroy()
      expectNoFault()
    })

    test('gets a 408 for a body that does not end in time, and is closed', async () => {
      const { port, endpoint, expectNoFault } = await start(adapter, { options: { bodyTimeoutMs: 200 } })
      const connection = await RawConnection.open(port)
      const framing = { 'content-type': 'application/json', 'content-length': '1000' }
      connection.write(toHead('POST', '/mcp', { host: 'localhost', accept: acceptBoth, ...framing }))
      connection.write('{')
      const { status, headers } = await connection.readResponse()
      expect([status, headers.connection]).toEqual([408, 'close'])
      await connection.closed
      expect(endpoint.stats().bodyBytes).toBe(0)
      expectNoFault()
    })

    test('is closed after every plain answer while the endpoint drains', async () => {
      const { hold, started } = holding()
      const { url, port, endpoint } = await start(adapter, { tools: { hold }, options: { upgradeAfterMs: 10_000 } })
      const client = await McpClient.open(url)
      const standalone = await client.get()
      const held = client.call('hold')
      await started
      const draining = endpoint.close({ drainMs: 10_000 })
      expect(endpoint.closing).toBe(true)
      const { headers } = client
      const requests: [request: RawRequest, status: number][] = [
        [{ method: 'POST', body: initializeMessage }, 503],
        [{ method: 'POST', headers, body: ping }, 503],
        [{ method: 'POST', headers, body: initialized }, 202],
        [{ method: 'PUT' }, 405],
        [{ method: 'DELETE', headers }, 204],
      ]
      for (const [request, status] of requests) {
        const connection = await RawConnection.open(port)
        const answer = await connection.ask(request)
        expect([request.method, answer.status, answer.headers.connection]).toEqual([request.method, status, 'close'])
        await connection.closed
      }
      expect((await held).headers.connection).toBe('close')
      await standalone.events.ended
      await draining
    })
  })
}
