import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSession, toInitializeParams } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { listen } from '../../../test-support/listen.ts'
import { sleep, waitFor } from '../../../test-support/waiting.ts'
import { toNodeHandler } from '../src/node/index.ts'

/** 100,000 in the slow run. `SEED` repeats a run. */
const count = Number(process.env.ABORTS ?? 4_000)
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

const handlers: Handlers = {
  burst: async ({ notify, signal }) => {
    for (let i = 1; i <= 20 && !signal.aborted; i++) {
      await notify('notifications/progress', { progressToken: 1, progress: i, filler: 'x'.repeat(500) })
      if (i % 4 === 0) await sleep(0)
    }
    return {}
  },
  slow: () => sleep(5).then(() => ({})),
  poll: async ({ extra }) => {
    extra.closeSSEStream?.()
    await sleep(2)
    return {}
  },
  ask: async ({ ask }) => ({ answer: String(await ask('roots/list')) }),
}

interface Trial {
  kind:
    | 'initialize'
    | 'ping'
    | 'burst'
    | 'slow'
    | 'poll'
    | 'ask'
    | 'notification'
    | 'get'
    | 'resume'
    | 'chunked'
    | 'delete'
    | 'garbage'
  /** Share of the request that is sent before the client leaves; 1: all of it. */
  sent: number
  /** Bytes of the answer that are read before it leaves. */
  read: number
  leave: 'destroy' | 'reset' | 'end'
}

const trial: fc.Arbitrary<Trial> = fc.record({
  kind: fc.constantFrom(
    'initialize',
    'ping',
    'burst',
    'slow',
    'poll',
    'ask',
    'notification',
    'get',
    'resume',
    'chunked',
    'delete',
    'garbage',
  ),
  sent: fc.oneof(
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
    { weight: 2, arbitrary: fc.constant(1) },
  ),
  read: fc.nat(6_000),
  leave: fc.constantFrom('destroy', 'reset', 'end'),
})

const stray: unknown[] = []
const note = (error: unknown): void => void stray.push(error)

beforeAll(() => void process.on('unhandledRejection', note).on('uncaughtException', note))
afterAll(() => void process.off('unhandledRejection', note).off('uncaughtException', note))

test(`${count} aborts at random bytes leave no rejection, socket, stream or call (SEED=${seed})`, async () => {
  const { endpoint, errors } = createTestEndpoint(handlers, {
    abandonAfterMs: 300,
    sessionIdleMs: 1_500,
    upgradeAfterMs: 2,
  })
  const { server, port } = await listen(toNodeHandler(endpoint))
  let session = await openSession(endpoint)
  let lastEventId = ''

  const trials = fc.sample(trial, { numRuns: count, seed })
  const worker = async () => {
    for (let next = trials.pop(); next; next = trials.pop()) {
      // Sessions are deleted by some trials, and expire.
      if ((await session.call('ping')).status === 404) session = await openSession(endpoint)
      const answer = await abort(port, next, toRaw(next, session.sessionId, lastEventId))
      lastEventId = /id: (\S+)/.exec(answer)?.[1] ?? lastEventId
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))

  // The last session may be deleted before the server has heard that the last client left.
  await waitFor(() => endpoint.stats().sessions + endpoint.stats().connections === 0, 30_000)
  expect(endpoint.stats()).toMatchObject({
    ...{ sessions: 0, connections: 0, streams: 0, calls: 0, questions: 0, detachedCalls: 0 },
    log: { sessions: 0, streams: 0, events: 0, bytes: 0 },
  })
  const left = () => new Promise<number>((resolve) => server.getConnections((_, open) => resolve(open)))
  for (let i = 0; i < 100 && (await left()) > 0; i++) await sleep(50)
  expect(await left()).toBe(0)
  expect(stray).toEqual([])
  expect(errors).toEqual([])
  await endpoint.close({ drainMs: 0 })
  await new Promise((resolve) => server.close(resolve))
}, 600_000)

function abort(port: number, { sent, read, leave }: Trial, request: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1')
    const go = (): void => {
      if (leave === 'reset') socket.resetAndDestroy()
      else if (leave === 'destroy') socket.destroy()
      else {
        socket.end()
        setTimeout(() => socket.destroy(), 20)
      }
    }
    const timer = setTimeout(go, sent < 1 ? 1 : 15)
    socket.on('connect', () => socket.write(request.subarray(0, Math.ceil(request.length * sent))))
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (answer.length >= read) go()
    })
    // Whoever leaves like this expects resets.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}

function toRaw({ kind }: Trial, sessionId: string, lastEventId: string): Buffer {
  const session = kind === 'initialize' ? '' : `mcp-session-id: ${sessionId}\r\n`
  if (kind === 'garbage') return Buffer.from('POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n{')
  if (kind === 'get' || kind === 'resume' || kind === 'delete') {
    const method = kind === 'delete' ? 'DELETE' : 'GET'
    const cursor = kind === 'resume' && lastEventId ? `last-event-id: ${lastEventId}\r\n` : ''
    return Buffer.from(
      `${method} /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n${session}${cursor}\r\n`,
    )
  }
  const body = JSON.stringify(toMessage(kind))
  const head = `POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n${session}`
  if (kind !== 'chunked') return Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  const chunks = (body.match(/.{1,7}/g) ?? []).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
  return Buffer.from(`${head}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
}

function toMessage(kind: Trial['kind']): unknown {
  if (kind === 'notification') return { jsonrpc: '2.0', method: 'notifications/initialized' }
  if (kind === 'initialize') return { jsonrpc: '2.0', id: 1, method: kind, params: toInitializeParams() }
  return { jsonrpc: '2.0', id: 1, method: kind === 'chunked' ? 'burst' : kind }
}
