import type { Exchange } from '../client/exchange.ts'
import {
  errorCode,
  expectAccepted,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
} from '../client/expect.ts'
import { isObject, type Message, request, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing, Trace } from '../client/probes.ts'
import { responseIn, type Session } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'
const messages = '2025-11-25/basic/index#messages'
const executes = ['role:abort_probe', 'role:abort_query'] as const

async function pingAccepting(session: Session, accept: string | readonly string[] | undefined): Promise<Exchange> {
  return await session.post(freshPing(), { headers: { Accept: accept } })
}

async function expectPingAnswered(session: Session, accept: string | readonly string[]): Promise<void> {
  expectStatus(await pingAccepting(session, accept), 200, `Accept: ${accept}`)
}

/** A call that asks for progress: what a server most wants to answer with a stream. */
function streamingCall(): Message {
  return toolCall('progress', {}, { progressToken: 'accept' })
}

/** Expects that a body is refused: by HTTP, or by JSON-RPC with one of `codes`. */
async function expectBodyRefused(exchange: Exchange, what: string, codes: readonly number[] = []): Promise<void> {
  if (exchange.refused) return
  const [message] = await exchange.messages()
  const code = errorCode(message)
  const refused = exchange.ok && code !== undefined && codes.includes(code)
  expectThat(refused, `Expected ${what} to be refused, got status ${exchange.status}: ${JSON.stringify(message)}`)
}

/** C. POST: request validation. */
export const postValidationRequirements = [
  requirement({
    id: 'post/accept-of-both-types-in-any-order',
    rows: ['R031'],
    level: 'dMUST',
    spec,
    async check({ open }) {
      const session = await open()
      await expectPingAnswered(session, 'application/json, text/event-stream')
      await expectPingAnswered(session, 'text/event-stream,application/json')
      await expectPingAnswered(session, 'text/html ,  text/event-stream , application/json,image/png')
    },
  }),
  requirement({
    id: 'post/accept-is-case-insensitive',
    rows: ['R032'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §8.3.1',
    async check({ open }) {
      await expectPingAnswered(await open(), 'Application/JSON, Text/Event-Stream')
    },
  }),
  requirement({
    id: 'post/accept-weights-and-parameters-are-parsed',
    rows: ['R033'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §12.5.1',
    async check({ open }) {
      const session = await open()
      await expectPingAnswered(session, 'application/json;q=0.5, text/event-stream;q=0.9')
      await expectPingAnswered(session, 'application/json; charset=utf-8, text/event-stream')
      await expectPingAnswered(session, 'application/json ; q=1.000 , text/event-stream; q=0.001')
    },
  }),
  requirement({
    id: 'post/accept-may-span-lines',
    rows: ['R034'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §5.3',
    async check({ open }) {
      await expectPingAnswered(await open(), ['application/json', 'text/event-stream'])
    },
  }),
  requirement({
    id: 'post/unlisted-type-is-never-sent',
    rows: ['R035'],
    level: 'dMUST',
    spec: 'RFC 9110 §12.5.1',
    async check({ open }) {
      const session = await open()
      for (const message of [freshPing(), streamingCall()]) {
        const json = await session.post(message, { headers: { Accept: 'application/json' } })
        expectThat(!json.isEventStream, 'Expected no event stream for "Accept: application/json"')
      }
      const stream = await pingAccepting(session, 'text/event-stream')
      expectThat(
        !stream.ok || stream.isEventStream,
        `Expected an event stream or a refusal for "Accept: text/event-stream", got ${stream.contentType}`,
      )
    },
  }),
  requirement({
    id: 'post/accept-weight-zero-excludes',
    rows: ['R036'],
    level: 'SHOULD',
    spec: 'RFC 9110 §12.4.2',
    async check({ open }) {
      const accept = 'application/json, text/event-stream;q=0'
      const exchange = await (await open()).post(streamingCall(), { headers: { Accept: accept } })
      expectThat(!exchange.isEventStream, `Expected no event stream for "Accept: ${accept}"`)
    },
  }),
  requirement({
    id: 'post/accept-look-alikes-do-not-count',
    rows: ['R037'],
    level: 'SHOULD',
    spec: 'RFC 9110 §12.5.1',
    async check({ open }) {
      const session = await open()
      for (const accept of ['application/jsonx, text/event-streamx', 'x-application/json, x-text/event-stream']) {
        expectRefused(await pingAccepting(session, accept), `"Accept: ${accept}"`)
      }
    },
  }),
  requirement({
    id: 'post/accept-wildcards-are-answered',
    rows: ['R038'],
    level: 'HARD',
    spec: 'RFC 9110 §12.5.1',
    async check({ open }) {
      const session = await open()
      for (const accept of ['*/*', 'application/*, text/*', undefined]) {
        expectStatus(await pingAccepting(session, accept), [200, 406], `Accept: ${accept ?? '(absent)'}`)
      }
    },
  }),
  requirement({
    id: 'post/unacceptable-is-406',
    rows: ['R039'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.7',
    async check({ open }) {
      const exchange = await pingAccepting(await open(), 'text/html')
      if (!exchange.ok) expectStatus(exchange, 406, 'Accept: text/html')
    },
  }),
  requirement({
    id: 'post/content-type-may-have-parameters',
    rows: ['R040'],
    level: 'SHOULD',
    spec,
    async check({ open }) {
      const session = await open()
      for (const type of ['application/json; charset=utf-8', 'application/json;charset=UTF-8', 'application/json;']) {
        const exchange = await session.post(freshPing(), { headers: { 'Content-Type': type } })
        expectStatus(exchange, 200, `Content-Type: ${type}`)
      }
    },
  }),
  requirement({
    id: 'post/content-type-is-case-insensitive',
    rows: ['R041'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §8.3.1',
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), { headers: { 'Content-Type': 'Application/JSON' } })
      expectStatus(exchange, 200, 'Content-Type: Application/JSON')
    },
  }),
  requirement({
    id: 'post/other-content-type-is-refused',
    rows: ['R042', 'T2'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.16',
    needs: executes,
    async check({ open }) {
      const session = await open()
      const forms = ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']
      for (const type of ['text/plain', ...forms, 'application/json-evil', undefined]) {
        const trace = new Trace()
        const exchange = await session.post(trace.call(), { headers: { 'Content-Type': type } })
        expectStatus(exchange, [415, 400], `Content-Type: ${type ?? '(absent)'}`)
        await trace.expectUntouched(session, `a message with Content-Type ${type ?? '(absent)'}`)
      }
    },
  }),
  requirement({
    id: 'post/content-type-parameter-is-no-type',
    rows: ['R043', 'T2'],
    level: 'SHOULD',
    spec: 'WHATWG Fetch §2.2.2',
    needs: executes,
    async check({ open }) {
      const session = await open()
      for (const type of ['text/plain; a=application/json', 'text/plain;application/json']) {
        const trace = new Trace()
        const exchange = await session.post(trace.call(), { headers: { 'Content-Type': type } })
        expectRefused(exchange, `Content-Type: ${type}`)
        await trace.expectUntouched(session, `a message with Content-Type ${type}`)
      }
    },
  }),
  requirement({
    id: 'post/other-charset-is-refused',
    rows: ['R044'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports',
    async check({ open }) {
      const body = Buffer.from(JSON.stringify(freshPing()), 'utf16le')
      const headers = { 'Content-Type': 'application/json; charset=utf-16le' }
      expectRefused(await (await open()).post(body, { headers }), 'a body in UTF-16')
    },
  }),
  requirement({
    id: 'post/invalid-utf8-is-400',
    rows: ['R045', 'T18'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports',
    async check({ open }) {
      const text = JSON.stringify(toolCall('echo', { text: '?' }))
      for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80]]) {
        const [before = '', after = ''] = text.split('?')
        const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])
        const what = `a body with the bytes ${Buffer.from(bytes).toString('hex')}`
        expectStatus(await (await open()).post(body), 400, what)
      }
    },
  }),
  requirement({
    id: 'post/byte-order-mark-is-no-server-error',
    rows: ['R046'],
    level: 'HARD',
    spec: 'RFC 8259 §8.1',
    async check({ open }) {
      const session = await open()
      const exchange = await session.post(`\ufeff${JSON.stringify(freshPing())}`)
      expectStatus(exchange, [200, 400], 'a body that begins with a byte order mark')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/malformed-json-is-400',
    rows: ['R047'],
    level: 'dMUST',
    spec,
    async check({ open }) {
      const session = await open()
      const whole = JSON.stringify(freshPing())
      const trailing = whole.replace(/}$/, ',}')
      const quotes = "{'jsonrpc':'2.0','id':1,'method':'ping'}"
      for (const body of [whole.slice(0, -1), trailing, '{"jsonrpc":"2.0","id":NaN}', quotes, whole + whole, '{bad']) {
        expectStatus(await session.post(body), 400, `the body ${body}`)
      }
    },
  }),
  requirement({
    id: 'post/malformed-json-is-a-parse-error',
    rows: ['R048'],
    level: 'SHOULD',
    spec: 'JSON-RPC 2.0 §5.1',
    async check({ open }) {
      const exchange = await (await open()).post('{"jsonrpc":"2.0","id":1')
      const body = await exchange.json()
      const told = isObject(body) && isObject(body.error) && body.error.code === -32700
      expectThat(
        told && exchange.contentType === 'application/json',
        `Expected a JSON-RPC error -32700 as application/json, got ${exchange.contentType}: ${await exchange.text()}`,
      )
    },
  }),
  requirement({
    id: 'post/non-object-body-is-400',
    rows: ['R049'],
    level: 'dMUST',
    spec,
    async check({ open }) {
      const session = await open()
      for (const body of ['', ' ', '5', '"ping"', 'null', 'true']) {
        expectStatus(await session.post(body), 400, `the body ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'post/jsonrpc-version-is-checked',
    rows: ['R050'],
    level: 'dMUST',
    spec: messages,
    needs: executes,
    async check({ open }) {
      const session = await open()
      for (const jsonrpc of ['1.0', 2, '2.00', null, undefined]) {
        const trace = new Trace()
        const exchange = await session.post({ ...trace.call(), jsonrpc })
        await expectBodyRefused(exchange, `jsonrpc ${JSON.stringify(jsonrpc)}`, [-32600])
        await trace.expectUntouched(session, `a request with jsonrpc ${JSON.stringify(jsonrpc)}`)
      }
    },
  }),
  requirement({
    id: 'post/body-must-be-a-message',
    rows: ['R051'],
    level: 'dMUST',
    spec: messages,
    async check({ open }) {
      const session = await open()
      const wrong = [
        { jsonrpc: '2.0' },
        { jsonrpc: '2.0', id: 1 },
        { jsonrpc: '2.0', id: 2, method: 5 },
        { jsonrpc: '2.0', id: 3, method: null },
        { jsonrpc: '2.0', id: 4, method: 'ping', result: {} },
      ]
      for (const body of wrong) expectStatus(await session.post(body), 400, `the body ${JSON.stringify(body)}`)
    },
  }),
  requirement({
    id: 'post/params-must-be-an-object',
    rows: ['R052'],
    level: 'HARD',
    spec: 'JSON-RPC 2.0 §4.2',
    async check({ open }) {
      const session = await open()
      for (const params of [[], 5, null, 'x', true]) {
        const exchange = await session.post({ jsonrpc: '2.0', id: 1, method: 'tools/list', params })
        const [message] = await exchange.messages()
        const code = errorCode(message) ?? 0
        expectThat(
          exchange.status < 500 && [-32600, -32602].includes(code),
          `Expected params ${JSON.stringify(params)} to be answered -32600 or -32602, got ${exchange.status} and ${code}`,
        )
      }
    },
  }),
  requirement({
    id: 'post/prototype-keys-have-no-effect',
    rows: ['R053', 'T18'],
    level: 'HARD',
    spec: 'CWE-1321',
    needs: ['role:echo'],
    async check({ open }) {
      const session = await open()
      // A tool that reads what it was not given would find `text`.
      const polluting = '"__proto__":{"text":"polluted"},"constructor":{"prototype":{"text":"polluted"}}'
      const params = `{${polluting},"name":"echo","arguments":{${polluting}}}`
      const first = await session.post(`{"jsonrpc":"2.0","id":"__proto__","method":"tools/call","params":${params}}`)
      expectNoServerError(first, 'prototype keys')
      const answers = [
        ...(await first.messages()),
        await session.request('tools/call', { name: 'echo', arguments: {} }),
      ]
      const found = answers.some((answer) => JSON.stringify(answer).includes('polluted'))
      expectThat(!found, `Expected no effect of the prototype keys, got ${JSON.stringify(answers)}`)
    },
  }),
  requirement({
    id: 'post/batch-is-refused',
    rows: ['R054'],
    level: 'SHOULD',
    spec,
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      expectStatus(await session.post([freshPing(), freshPing()]), 400, 'a batch')
      expectStatus(await session.post([freshPing()]), 400, 'a batch of one')
    },
  }),
  requirement({
    id: 'post/empty-batch-is-400',
    rows: ['R055'],
    level: 'dMUST',
    spec,
    async check({ open, target }) {
      for (const version of target.versions) {
        const session = await open({ version })
        expectStatus(await session.post('[]'), 400, `an empty array in a session of ${version}`)
      }
    },
  }),
  requirement({
    id: 'post/unknown-members-do-no-harm',
    rows: ['R056'],
    level: 'HARD',
    spec: messages,
    async check({ open }) {
      const session = await open()
      const message = { ...freshPing(), foo: 1, meta: { a: [] }, Method: 'tools/list' }
      const exchange = await session.post(message, { headMs: 3_000 })
      expectStatus(exchange, [200, 400], 'a request with unknown members')
      if (exchange.ok) await responseIn(exchange, message.id, 3_000)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/duplicate-keys-are-no-server-error',
    rows: ['R057', 'T18'],
    level: 'HARD',
    spec: 'RFC 8259 §4',
    async check({ open }) {
      const session = await open()
      const bodies = [
        '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        '{"jsonrpc":"2.0","id":3,"method":"tools/list","method":"ping"}',
      ]
      for (const body of bodies) expectNoServerError(await session.post(body), 'duplicate keys')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/keys-are-case-sensitive',
    rows: ['T18'],
    level: 'dMUST',
    spec: 'JSON-RPC 2.0 §4',
    needs: executes,
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const { jsonrpc, id, method, params } = trace.call()
      for (const body of [
        { JSONRPC: jsonrpc, Id: id, Method: method, Params: params },
        { jsonrpc, id, METHOD: method, params },
      ]) {
        expectRefused(await session.post(body), 'a message with its keys in upper case')
      }
      await trace.expectUntouched(session, 'a message with its keys in upper case')
    },
  }),
  requirement({
    id: 'post/deep-nesting-does-no-harm',
    rows: ['R058', 'T18'],
    level: 'HARD',
    spec: 'CWE-674',
    async check({ open }) {
      const session = await open()
      const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
      const call = `{"name":"echo","arguments":{"text":${nested}}}`
      const exchange = await session.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${call}}`)
      expectNoServerError(exchange, '20,000 nested arrays')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/huge-values-do-no-harm',
    rows: ['R058', 'T18'],
    level: 'HARD',
    spec: 'CWE-400',
    async check({ open }) {
      const session = await open()
      expectNoServerError(await session.post('{"jsonrpc":"2.0","id":1e400,"method":"ping"}'), 'the id 1e400')
      const longId = request('ping', undefined, 'x'.repeat(1_048_576))
      expectNoServerError(await session.post(longId), 'an id of 1 MiB')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/last-event-id-is-ignored',
    rows: ['R141'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#resumability-and-redelivery',
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), { headers: { 'Last-Event-ID': 'garbage' } })
      expectAccepted(exchange, 'a POST with Last-Event-ID')
    },
  }),
]
