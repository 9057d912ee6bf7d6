import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import { openSession, type TestClient } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import {
  createEventIdCodec,
  createMemoryBackplane,
  type Endpoint,
  type EndpointOptions,
  type EventIdCodec,
  type EventStreamBody,
  type HttpReply,
  sessionKey,
} from '../src/index.ts'

const handlers: Handlers = {
  echo: async ({ params }) => ({ text: params.text }),
  later: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({}))),
}

function createStreaming(options: Partial<EndpointOptions> = {}): { endpoint: Endpoint; errors: unknown[] } {
  const { endpoint, errors } = createTestEndpoint(handlers, { response: 'sse', ...options })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return { endpoint, errors }
}

/** What a bridge is asked to do with a body. */
function open({ body }: HttpReply): string[] {
  const steps: string[] = []
  const write = (text: string): boolean => steps.push(`write ${text.length}`) > 0
  const events = (body as EventStreamBody).open({
    write,
    end: (text) => steps.push(`end ${text}`),
    destroy: () => steps.push('destroy'),
  })
  events.gone()
  return steps
}

async function eventsOf(client: TestClient, streamTag: string) {
  const page = await client.endpoint.sessions.events(await sessionKey(client.sessionId), streamTag)
  return page?.events.map(({ index, last, data }) => ({ index, last, ...JSON.parse(data) }))
}

test('an answer that is there at once is one write, and a stream like any other', async () => {
  const { endpoint, errors } = createStreaming()
  const client = await openSession(endpoint)
  const steps = open(await client.call('echo', { text: 'hi' }, 7))
  const answer = '{"result":{"text":"hi"},"jsonrpc":"2.0","id":7}'
  expect(steps).toHaveLength(1)
  expect(steps[0]).toMatch(/^end retry: \d+\n\nid: (\S+)\ndata: \n\nid: (\S+)\ndata: \{.*\}\n\n$/)
  const [primed = '', answered = ''] = [...(steps[0] ?? '').matchAll(/id: (\S+)/g)].map(([, id]) => id)
  expect(await eventsOf(client, primed.split('.')[0] ?? '')).toEqual([{ index: 1, last: true, ...JSON.parse(answer) }])
  // Its client may have the beginning alone: it comes back for the answer, and with the answer for nothing.
  const resumed = await client.read(primed)
  expect(resumed.messages).toEqual([JSON.parse(answer)])
  expect(resumed.lastEventId).toBe(answered)
  expect((await client.get(answered)).status).toBe(204)
  expect(endpoint.stats()).toMatchObject({ connections: 0, calls: 0, detachedCalls: 0 })
  expect(errors).toEqual([])
})

test('so is that of `initialize`, and one without sessions', async () => {
  const { endpoint } = createStreaming()
  const client = await openSession(endpoint)
  expect(await eventsOf(client, 'p1-1')).toMatchObject([{ index: 1, last: true, id: 1 }])
  const stateless = await openSession(createStreaming({ sessions: false }).endpoint)
  const [step, ...others] = open(await stateless.call('echo', { text: 'hi' }, 7))
  expect(step).toBe('end :\n\ndata: {"result":{"text":"hi"},"jsonrpc":"2.0","id":7}\n\n')
  expect(others).toEqual([])
  expect(stateless.endpoint.stats()).toMatchObject({ connections: 0, calls: 0, log: { events: 0 } })
})

test('a call that goes on has its stream at once', async () => {
  const { endpoint } = createStreaming()
  const client = await openSession(endpoint)
  const reader = await TestReader.open(await client.call('later', {}, 7))
  await reader.until(() => reader.blocks.length === 1)
  expect(endpoint.stats()).toMatchObject({ connections: 1, calls: 1 })
})

test('a large answer is written apart from what belongs around it, for a bridge to cut in pieces', async () => {
  const { endpoint } = createStreaming()
  const client = await openSession(endpoint)
  const text = 'x'.repeat(200_000)
  const steps = open(await client.call('echo', { text }, 7))
  expect(steps).toContain(`write ${JSON.stringify({ result: { text }, jsonrpc: '2.0', id: 7 }).length}`)
})

test('the answers of a batch share a stream', async () => {
  const { endpoint } = createStreaming()
  const client = await openSession(endpoint, { version: '2025-03-26' })
  const batch = [1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'echo', params: { text: `text ${id}` } }))
  const reader = await TestReader.open(await client.post(batch))
  await reader.until(() => reader.ended)
  expect(reader.messages.map(({ id }) => id).sort()).toEqual([1, 2])
})

test('who observes streams sees it', async () => {
  const { endpoint } = createStreaming()
  const client = await openSession(endpoint)
  const seen: unknown[] = []
  const see = (message: unknown): unknown => seen.push(message)
  subscribe('tracing:throughline.stream:start', see)
  onTestFinished(() => void unsubscribe('tracing:throughline.stream:start', see))
  const reader = await TestReader.open(await client.call('echo', { text: 'hi' }, 7))
  await reader.until(() => reader.ended)
  expect(seen).toMatchObject([{ kind: 'call', requestIds: [7], to: 1 }])
})

/** A codec that passes its trial, and of which `encode` breaks then. */
function breaking(encode: () => unknown): { readonly eventIds: EventIdCodec; break(): void } {
  const codec = createEventIdCodec()
  const eventIds = { ...codec }
  return { eventIds, break: () => Object.assign(eventIds, { encode }) }
}

test('a codec that throws ends the response, and is told of', async () => {
  const broken = new Error('the codec is broken')
  const codec = breaking(() => {
    throw broken
  })
  const { endpoint, errors } = createStreaming({ response: 'auto', eventIds: codec.eventIds })
  const client = await openSession(endpoint)
  codec.break()
  const headers = { accept: 'text/event-stream' }
  const reader = await TestReader.open(await client.call('echo', { text: 'hi' }, 7, { headers }))
  await reader.until(() => reader.ended)
  expect(errors).toContain(broken)
})

const unsendable: [string, unknown][] = [
  ['a promise', Promise.resolve('id')],
  ['nothing', undefined],
  ['no character', ''],
  ['too many characters', 'x'.repeat(41)],
  ['a line break', 'x\ndata: forged'],
  ['what is no ASCII', 'é'],
]

test.each(unsendable)('an id that cannot be sent is not: %s', async (_what, id) => {
  const codec = breaking(() => id)
  const { endpoint, errors } = createStreaming({ eventIds: codec.eventIds })
  const client = await openSession(endpoint)
  codec.break()
  const headers = { accept: 'text/event-stream' }
  const reader = await TestReader.open(await client.call('echo', { text: 'hi' }, 7, { headers }))
  await reader.until(() => reader.ended)
  expect(reader.text).not.toContain('id:')
  expect(reader.text).not.toContain('forged')
  expect(errors.map(String)).toContainEqual(
    expect.stringContaining('Expected eventIds.encode to give 1 to 40 visible ASCII characters, got '),
  )
})

test.each(unsendable)('a codec whose ids cannot be sent fails at start-up: %s', (_what, id) => {
  const eventIds = { ...createEventIdCodec(), encode: () => id as string }
  expect(() => createStreaming({ eventIds })).toThrow(
    /^Expected eventIds\.encode to give 1 to 40 visible ASCII characters, got /,
  )
})

test.each<[string, (eventId: string) => unknown]>([
  ['nothing', () => undefined],
  ['a promise', async (eventId) => createEventIdCodec().decode(eventId)],
  ['a place before', (eventId) => ({ ...createEventIdCodec().decode(eventId), index: -1 })],
  ['a place without its position', (eventId) => ({ ...createEventIdCodec().decode(eventId), position: undefined })],
  [
    'a place of another owner',
    (eventId) => ({ ...createEventIdCodec().decode(eventId), position: { term: -1, n: 0 } }),
  ],
])('a codec that does not read its own ids fails at start-up: %s', (_what, decode) => {
  const eventIds = { ...createEventIdCodec(), decode: decode as EventIdCodec['decode'] }
  expect(() => createStreaming({ eventIds })).toThrow(
    /^Expected eventIds\.decode to give back the \{"streamTag":"g","index":0,.*\} that eventIds\.encode was given, got /,
  )
})

test('what the log refuses, since another has the session, ends without the answer', async () => {
  const backplane = createMemoryBackplane()
  const { endpoint } = createStreaming({ backplane })
  const client = await openSession(endpoint)
  const [kind, data, last, requestIds] = ['message', '{}', true, []] as const
  const newer = { streamTag: 'p2-1', index: 1, position: { term: 2, n: 1 }, kind, data, last, requestIds }
  await backplane.events.append(await sessionKey(client.sessionId), [newer])
  const reader = await TestReader.open(await client.call('echo', { text: 'hi' }, 7))
  await reader.until(() => reader.ended)
  expect(reader.blocks).toHaveLength(1)
  expect(reader.messages).toEqual([])
})
