import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { describe, expect, it } from 'vitest'
import { patienceMs } from '../src/client/waiting.ts'
import { clientKinds, statusOf } from './interop/clients.ts'
import {
  expectNothingHeld,
  expectStats,
  keyOf,
  pairs,
  serverKinds,
  standaloneOpen,
  testMeeting,
  upTo,
} from './interop/meet.ts'

async function pingStatus(url: string, sessionId: string | undefined): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': sessionId ?? '',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    signal: AbortSignal.timeout(patienceMs),
  })
  await response.text()
  return response.status
}

/** Of a ping. A kept connection that ends at the same moment is an error of the network: another one is made then. */
async function refusalOf(client: { ping(): Promise<unknown> }): Promise<number | undefined> {
  return statusOf(await caught(client.ping())) ?? statusOf(await caught(client.ping()))
}

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`Expected an error, got ${JSON.stringify(value)}`)
    },
    (error: unknown) => error,
  )
}

for (const pair of pairs)
  describe(pair.name, () => {
    const test = testMeeting.bind(null, pair)

    test('ends the session when the client terminates it', async ({ client, endpoint, url, leave }) => {
      await standaloneOpen(client)
      const { sessionId } = client
      const key = await keyOf(client)
      expect(await pingStatus(url, sessionId)).toBe(200)
      await leave(client)
      expect(await endpoint.sessions.get(key)).toBeUndefined()
      expect(await pingStatus(url, sessionId)).toBe(404)
    })

    test('answers 404 after the server ended the session, and the client starts anew', async (meeting) => {
      const { client, endpoint, built } = meeting
      await standaloneOpen(client)
      const { sessionId } = client
      expect(await endpoint.sessions.end(await keyOf(client))).toBe(true)
      expect(statusOf(await caught(client.ping()))).toBe(404)
      await client.connectAnew()
      expect(client.sessionId).not.toBe(sessionId)
      expect((await client.call('echo', { text: 'anew' })).text).toBe('anew')
      expect(built).toHaveLength(2)
      expect(endpoint.stats().sessions).toBe(1)
    })

    test('fails a running call when the server ends its session', async ({ client, endpoint }) => {
      await standaloneOpen(client)
      const failing = caught(client.call('abort_probe', { key: 'ended' }, { timeout: patienceMs }))
      await expectStats(endpoint, { calls: 1 })
      await endpoint.sessions.end(await keyOf(client))
      expect(String(await failing)).not.toMatch(/timed out/i)
      await client.connectAnew()
      expect((await client.call('abort_query', { key: 'ended' })).text).toBe('aborted')
    })

    test('keeps the session of a client that leaves without a word, and its detached call', async (meeting) => {
      const { client, endpoint, connect } = meeting
      const running = caught(client.call('abort_probe', { key: 'left' }))
      await expectStats(endpoint, { calls: 1 })
      // Also an `auto` answer is a stream by now, so that there is something to come back to.
      await expectStats(endpoint, { connections: 2 })
      const key = await keyOf(client)
      await client.close()
      await running
      await expectStats(endpoint, { sessions: 1, connections: 0, calls: 1, detachedCalls: 1 })
      const other = await connect()
      expect((await other.call('abort_query', { key: 'left' })).text).toBe('running')
      expect(await endpoint.sessions.end(key)).toBe(true)
      expect((await other.call('abort_query', { key: 'left' })).text).toBe('aborted')
      await client.connectAnew()
    })

    test('builds one server object per session and keeps sessions apart', async ({ connect, client, built }) => {
      const clients = [client, ...(await Promise.all(upTo(4).map(() => connect())))]
      expect(new Set(clients.map(({ sessionId }) => sessionId)).size).toBe(5)
      await Promise.all(
        clients.map(async (one, index) => {
          await one.call('push', { count: 5, text: `client ${index}` })
          await one.call('push', { count: 1, text: 'end' })
          await one.logs.count(6)
        }),
      )
      expect(clients.map(({ logs }) => logs.items)).toEqual(
        clients.map((_, index) => [...upTo(5).map((number) => `client ${index}:${number}`), 'end:1']),
      )
      expect(built).toHaveLength(5)
      expect(new Set(built.map(({ sessionId }) => sessionId)).size).toBe(5)
    })

    test('ends its connections and refuses calls once it is closed', async ({ client, endpoint }) => {
      await standaloneOpen(client)
      const call = client.call('slow', { ms: 150 })
      await expectStats(endpoint, { calls: 1 })
      const closing = endpoint.close({ drainMs: patienceMs })
      expect(await call).toEqual({ text: 'slept 150', isError: false })
      await closing
      expect(endpoint.stats()).toMatchObject({ sessions: 0, connections: 0, calls: 0 })
      expect(await refusalOf(client)).toBe(503)
    })

    test('builds no server object for a request that comes after it has closed', async ({
      client,
      endpoint,
      built,
    }) => {
      await standaloneOpen(client)
      await endpoint.close({ drainMs: patienceMs })
      expect(await refusalOf(client)).toBe(503)
      expect(built).toHaveLength(1)
      expect(endpoint.stats().sessions).toBe(0)
    })
  })

for (const pair of pairs.filter(({ clientKind }) => clientKind.name.includes('auto')))
  describe(pair.name, () => {
    testMeeting(pair, 'probes for 2026-07-28 and falls back to a session', async ({ client, built, endpoint }) => {
      expect(client.sent.items[0]).toMatchObject({ method: 'POST', version: '2026-07-28', status: 400 })
      expect(client.protocolVersion).toBe('2025-11-25')
      expect(built).toHaveLength(1)
      expect(endpoint.stats().sessions).toBe(1)
    })
  })

for (const pair of pairs.filter(({ clientKind }) => clientKind.name === 'SDK 2.x client'))
  describe(pair.name, () => {
    for (const version of ['2025-06-18', '2025-03-26']) {
      testMeeting(
        pair,
        `serves a client that knows only ${version}`,
        async ({ client, proxy }) => {
          expect(client.protocolVersion).toBe(version)
          expect((await client.call('echo', { text: 'old' })).text).toBe('old')
          expect((await client.call('ask_sampling')).text).toBe('sampled:sampled text')
          const seen: number[] = []
          const onprogress = ({ progress }: { progress: number }) => {
            seen.push(progress)
            if (progress === 5) proxy.cut()
          }
          expect((await client.call('burst', { count: 10, delayMs: 10 }, { onprogress })).text).toBe('burst done')
          expect(seen).toEqual(upTo(10))
          // The revision has no polling: the handler cannot end the connection, so nothing is lost.
          expect((await client.call('test_reconnection')).isError).toBe(false)
        },
        { versions: [version] },
      )
    }
  })

for (const clientKind of clientKinds)
  describe(clientKind.name, () => {
    for (const serverKind of serverKinds.filter(({ adapter, response }) => adapter === 'node' && response === 'auto')) {
      it(`reaches the handler of ${serverKind.name} with the verified token of each request`, async () => {
        const factory = serverKind.createFactory()
        const auths: unknown[] = []
        const endpoint = createEndpoint({
          eras: ['2025'],
          server: ({ auth }) => {
            auths.push(auth?.clientId)
            return factory()
          },
        })
        const handle = toNodeHandler(endpoint)
        const server = createServer((request, response) => {
          const [, clientId = ''] = request.headers.authorization?.split(' ') ?? []
          const auth = { token: clientId, clientId, scopes: ['read', 'write'] }
          handle(Object.assign(request, { auth }), response).catch((error: unknown) => response.destroy(error as Error))
        })
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
        const [alice, bob] = await Promise.all(
          ['alice', 'bob'].map((name) => clientKind.connect(url, { headers: { authorization: `Bearer ${name}` } })),
        )
        try {
          if (!alice || !bob) throw new Error('Expected two clients')
          for (const [client, clientId] of [[alice, 'alice'] as const, [bob, 'bob'] as const]) {
            const answer: unknown = JSON.parse((await client.call('whoami')).text)
            expect(answer).toMatchObject({ clientId, scopes: ['read', 'write'] })
          }
          expect(auths.sort()).toEqual(['alice', 'bob'])
          // Another principal cannot even see that the session is there.
          expect(await pingStatus(url, alice.sessionId)).toBe(404)
          await Promise.all([alice.terminate(), bob.terminate()])
          await Promise.all([alice.close(), bob.close()])
          await expectNothingHeld(endpoint)
        } finally {
          await Promise.all([alice?.close(), bob?.close()])
          await endpoint.close({ drainMs: 0 })
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
        }
      })
    }
  })

for (const pair of pairs.filter(({ serverKind }) => serverKind.sdk === 2))
  describe(pair.name, () => {
    testMeeting(
      pair,
      'gives handlers the context they know from the SDK 2.x transport',
      async ({ client }) => {
        expect((await client.call('header', { name: 'user-agent' })).text).toBe('interop/1')
        expect((await client.call('header', { name: 'X-None' })).text).toBe('no such header')
        expect((await client.call('close_functions')).text).toBe('function function')
        expect((await client.call('ask_context')).text).toBe('answer:42')
      },
      { headers: { 'user-agent': 'interop/1' } },
    )
  })
