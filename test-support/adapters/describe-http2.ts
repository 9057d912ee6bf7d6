import { expect, test } from 'vitest'
import type { Endpoint } from '../../packages/core/src/index.ts'
import { Http2Client } from '../client/http2-client.ts'
import { endpointWith } from '../endpoints.ts'
import { report } from '../sdk-server.ts'
import { watchProcess } from '../watch-process.ts'
import type { AppServer } from './adapter.ts'

/** For frameworks that speak HTTP/2 as well. */
export function describeHttp2(name: string, serve: (endpoint: Endpoint) => Promise<AppServer>): void {
  test(`${name} serves HTTP/2 as well`, async () => {
    const { faults } = watchProcess()
    const endpoint = endpointWith({ say: (_args, extra) => report(extra, 'hello').then(() => 'said') })
    const { port, errors } = await serve(endpoint)
    const client = new Http2Client(port)
    const headers = await client.open()
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'say', arguments: {} } }
    const reply = await client.ask('POST', headers, call)
    expect(reply.headers['content-type']).toBe('text/event-stream')
    const text = await reply.text()
    expect(text).toContain('"data":"hello"')
    expect(text).toContain('"text":"said"')

    const closing = endpoint.close({ drainMs: 0 })
    const late = await client.ask('DELETE', headers)
    expect(late.headers).not.toHaveProperty('connection')
    await closing
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })
}
