import { expect, test } from 'vitest'
import type { Endpoint, EndpointOptions } from '../../packages/core/src/index.ts'
import { initializeMessage, McpClient, ping } from '../client/mcp-client.ts'
import { type Reply, type SendOptions, send } from '../client/reply.ts'
import { cancelled, report, serverWith, type Tool } from '../sdk-server.ts'
import { deferred } from '../waiting.ts'
import { bearer, whoami } from './tokens.ts'

export interface Protected {
  readonly url: string
  readonly endpoint: Endpoint
}

const requests: readonly SendOptions[] = [
  { method: 'POST', body: ping },
  { method: 'POST', body: { jsonrpc: '2.0', method: 'notifications/initialized' } },
  { method: 'POST', body: { jsonrpc: '2.0', id: 1, result: {} } },
  { method: 'POST', body: 'no json' },
  { method: 'GET' },
  { method: 'GET', headers: { 'last-event-id': 'whatever' } },
  { method: 'DELETE' },
]

/** Everything on the wire but the date. */
async function bytesOf(reply: Reply): Promise<unknown> {
  const { date: _date, ...headers } = reply.headers
  return { status: reply.status, headers, raw: reply.response.rawHeaders.length, body: await reply.text() }
}

/** Each kind of request in the session that `headers` name is answered as with an id that was never issued. */
export async function expectNotFound(url: string, headers: Record<string, string>): Promise<void> {
  for (const request of requests) {
    const ask = async (sessionId: string): Promise<unknown> => {
      const all = { ...headers, ...request.headers, 'mcp-session-id': sessionId }
      return bytesOf(await send(url, { ...request, headers: all }))
    }
    const answer = await ask(headers['mcp-session-id'] as string)
    expect(answer).toMatchObject({ status: 404 })
    expect(answer).toEqual(await ask('a'.repeat(32)))
  }
}

type Start = (tools?: Record<string, Tool>, options?: Partial<EndpointOptions>) => Promise<Protected>

/** Who sends is known by its token, and each session belongs to who opened it. */
export function describePrincipals(start: Start, expectRefused: (reply: Reply) => Promise<void>): void {
  test('hands the verified token to the tool, and to the factory of the server', async () => {
    const seen: unknown[] = []
    const make = serverWith({ whoami })
    const server: EndpointOptions['server'] = ({ auth }) => {
      seen.push(auth?.extra?.sub)
      return make()
    }
    const { url } = await start({}, { server })
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami'))).toMatchObject({
      token: 'alice.1',
      clientId: 'app',
      scopes: ['mcp'],
      extra: { sub: 'alice' },
    })
    await McpClient.open(url, bearer('bob.1'))
    expect(seen).toEqual(['alice', 'bob'])
  })

  test('lets the same user go on with a refreshed token, and the tool sees the new one', async () => {
    const { url } = await start()
    const client = await McpClient.open(url, bearer('alice.1'))
    expect(JSON.parse(await client.textOf('whoami', {}, bearer('alice.2')))).toMatchObject({ token: 'alice.2' })
    const stream = await client.get(bearer('alice.3'))
    expect(stream.status).toBe(200)
    stream.leave()
    expect((await client.delete(bearer('alice.4'))).status).toBe(204)
  })

  test.each(['bob', 'alice-elsewhere', 'alice-other-app'])(
    "answers %s with alice's session id byte for byte as with an unknown id",
    async (user) => {
      const { url, endpoint } = await start()
      const client = await McpClient.open(url, bearer('alice.1'))
      const before = endpoint.stats()
      await expectNotFound(url, { ...client.headers, ...bearer(`${user}.1`) })
      expect(endpoint.stats()).toEqual(before)
      expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
    },
  )

  test("an initialize that names another user's session opens one of its own, as with an unknown id", async () => {
    const { url } = await start()
    const client = await McpClient.open(url, bearer('alice.1'))
    for (const sessionId of [client.headers['mcp-session-id'] as string, 'a'.repeat(32)]) {
      const headers = { ...bearer('bob.1'), 'mcp-session-id': sessionId }
      const reply = await send(url, { headers, body: initializeMessage })
      expect(reply.status).toBe(200)
      expect(reply.headers['mcp-session-id']).not.toBe(sessionId)
      await reply.text()
    }
    expect(await client.textOf('echo', { text: 'still mine' })).toBe('still mine')
  })

  test('another user can neither cancel nor answer in a session, nor resume its streams with a stolen event id', async () => {
    const started = deferred()
    const finish = deferred()
    let wasCancelled = false
    const hold: Tool = async (_args, extra) => {
      void cancelled(extra).then(() => {
        wasCancelled = true
      })
      await report(extra, 'started')
      started.resolve()
      await finish.promise
      return 'whole'
    }
    const { url } = await start({ hold })
    const client = await McpClient.open(url, bearer('alice.1'))
    const call = client.callMessage('hold')
    const reply = await client.post(call)
    const { id } = await reply.events.next()
    await started.promise
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.id } }
    expect((await client.post(cancel, bearer('bob.1'))).status).toBe(404)
    const answer = { jsonrpc: '2.0', id: 's1-1', result: {} }
    expect((await client.post(answer, bearer('bob.1'))).status).toBe(404)
    const stolen = { 'last-event-id': id as string }
    expect((await client.get({ ...bearer('bob.1'), ...stolen })).status).toBe(404)
    finish.resolve()
    expect(await reply.answer()).toMatchObject({ result: { content: [{ text: 'whole' }] } })
    expect(wasCancelled).toBe(false)
    const resumed = await client.get(stolen)
    expect(await resumed.answer()).toMatchObject({ result: { content: [{ text: 'whole' }] } })
  })

  test('refuses who has no valid token, with and without a session, and builds nothing', async () => {
    const { url, endpoint } = await start()
    const client = await McpClient.open(url, bearer('alice.1'))
    const { authorization: _authorization, ...anonymous } = client.headers
    for (const headers of [anonymous, {}, { ...client.headers, ...bearer('mallory.1') }]) {
      for (const request of requests) {
        await expectRefused(await send(url, { ...request, headers: { ...headers, ...request.headers } }))
      }
    }
    expect(await client.textOf('echo', { text: 'fine' })).toBe('fine')
    expect(endpoint.stats().sessions).toBe(1)
  })

  test('counts a principal’s sessions, not everybody’s', async () => {
    const { url, endpoint } = await start({}, { maxSessionsPerPrincipal: 2 })
    const first = await McpClient.open(url, bearer('alice.1'))
    await McpClient.open(url, bearer('alice.1'))
    const bob = await McpClient.open(url, bearer('bob.1'))
    await McpClient.open(url, bearer('alice.2'))
    expect(endpoint.stats().sessions).toBe(3)
    expect((await first.post(ping)).status).toBe(404)
    expect((await bob.post(ping)).status).toBe(200)
  })
}
