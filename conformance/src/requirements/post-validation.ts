import { createAttempt } from '../client/attempt.ts'
import type { Exchange } from '../client/exchange.ts'
import {
  describe,
  errorCode,
  expectAccepted,
  expectHttpError,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import { isObject, isResponse, type Message, request, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing } from '../client/probes.ts'
import { responseIn, type Session } from '../client/session.ts'
import type { Target } from '../client/target.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'
const messages = '2025-11-25/basic/index#messages'

async function pingAccepting(session: Session, accept: string | readonly string[] | undefined): Promise<Exchange> {
  return await session.post(freshPing(), { headers: { Accept: accept } })
}

async function expectPingAnswered(session: Session, accept: string | readonly string[]): Promise<void> {
  expectStatus(await pingAccepting(session, accept), 200, `Accept: ${accept}`)
}

/** What the server most wants to answer with a stream: a call that asks for progress, where it has such a tool. */
function streamingCall({ roles }: Target): Message {
  return roles.has('progress') ? toolCall('progress', {}, { progressToken: 'accept' }) : request('tools/list')
}

/** Expects that a body is refused: by HTTP, or by JSON-RPC with one of `codes`. */
async function expectBodyRefused(exchange: Exchange, what: string, codes: readonly number[] = []): Promise<void> {
  if (exchange.status >= 400) return
  const message = (await exchange.messages()).find(isResponse)
  const code = errorCode(message)
  const refused = exchange.ok && code !== undefined && codes.includes(code)
  expectThat(refused, `Expected ${what} to be refused, got status ${exchange.status} ${describe(message)}`)
}

/** C. POST: request validation. */
export const postValidationRequirements = [
  requirement({
    id: 'post/accept-of-both-types-in-any-order',
    title: 'An Accept that lists both types is served, in any order and with others beside them.',
    rows: ['R031'],
    level: 'dMUST',
    spec,
    because: 'Clients must list both types; order and spacing mean nothing in the header.',
    async check({ open }) {
      const session = await open()
      await expectPingAnswered(session, 'application/json, text/event-stream')
      await expectPingAnswered(session, 'text/event-stream,application/json')
      await expectPingAnswered(session, 'text/html ,  text/event-stream , application/json,image/png')
    },
  }),
  requirement({
    id: 'post/accept-is-case-insensitive',
    title: 'Media types in Accept are read in any case.',
    rows: ['R032'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §8.3.1',
    because: 'Type and subtype are case-insensitive.',
    async check({ open }) {
      await expectPingAnswered(await open(), 'Application/JSON, Text/Event-Stream')
    },
  }),
  requirement({
    id: 'post/accept-weights-and-parameters-are-parsed',
    title: 'Weights and parameters in Accept are parsed.',
    rows: ['R033'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §12.5.1',
    because: 'They are part of the grammar of the header.',
    async check({ open }) {
      const session = await open()
      await expectPingAnswered(session, 'application/json;q=0.5, text/event-stream;q=0.9')
      await expectPingAnswered(session, 'application/json; charset=utf-8, text/event-stream')
      await expectPingAnswered(session, 'application/json ; q=1.000 , text/event-stream; q=0.001')
    },
  }),
  requirement({
    id: 'post/accept-may-span-lines',
    title: 'An Accept on two lines is read as one list.',
    rows: ['R034'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §5.3',
    because: 'Several lines of a list header mean the same as one line joined by commas.',
    async check({ open }) {
      await expectPingAnswered(await open(), ['application/json', 'text/event-stream'])
    },
  }),
  requirement({
    id: 'post/unlisted-type-is-never-sent',
    title: 'The answer has a type that the client listed, or is a refusal.',
    rows: ['R035'],
    level: 'SHOULD',
    spec: 'RFC 9110 §12.5.1',
    because:
      'The server may disregard Accept, and a client that must list what it reads cannot read what it did not list.',
    async check({ open, target }) {
      const session = await open()
      for (const message of [freshPing(), streamingCall(target)]) {
        const json = await session.post(message, { headers: { Accept: 'application/json' } })
        expectThat(!json.isEventStream, 'Expected no event stream for "Accept: application/json"')
      }
      // What has no other type may leave Accept out of account (RFC 9110, 12.5.1).
      if (!target.offers.has('sse')) return
      const stream = await pingAccepting(session, 'text/event-stream')
      expectThat(
        !stream.ok || stream.isEventStream,
        `Expected an event stream or a refusal for "Accept: text/event-stream", got ${stream.contentType}`,
      )
    },
  }),
  requirement({
    id: 'post/accept-weight-zero-excludes',
    title: 'A type with the weight 0 is not sent.',
    rows: ['R036'],
    level: 'SHOULD',
    spec: 'RFC 9110 §12.4.2',
    because: 'A weight of 0 means: not acceptable.',
    needs: ['sse'],
    async check({ open, target }) {
      const accept = 'application/json, text/event-stream;q=0'
      const exchange = await (await open()).post(streamingCall(target), { headers: { Accept: accept } })
      expectThat(!exchange.isEventStream, `Expected no event stream for "Accept: ${accept}"`)
    },
  }),
  requirement({
    id: 'post/accept-look-alikes-do-not-count',
    title: 'Types whose names only contain the right ones do not count.',
    rows: ['R037'],
    level: 'SHOULD',
    spec: 'RFC 9110 §12.5.1',
    because: 'Media types are compared as a whole.',
    async check({ open }) {
      const session = await open()
      // A server may leave Accept out of account; one that refuses other types must not take these for the right ones.
      if (!(await pingAccepting(session, 'text/html')).refused) notTestable('the server takes no account of Accept')
      for (const accept of ['application/jsonx, text/event-streamx', 'x-application/json, x-text/event-stream']) {
        expectRefused(await pingAccepting(session, accept), `"Accept: ${accept}"`)
      }
    },
  }),
  requirement({
    id: 'post/accept-wildcards-are-answered',
    title: 'Wildcards and a missing Accept are answered 200 or 406, one way or the other.',
    rows: ['R038'],
    level: 'HARD',
    spec: 'RFC 9110 §12.5.1',
    because:
      'The specification asks for both types by name and says nothing of the others: either reading is right, a crash is not.',
    async check({ open }) {
      const session = await open()
      for (const accept of ['*/*', 'application/*, text/*', undefined]) {
        expectStatus(await pingAccepting(session, accept), [200, 406], `Accept: ${accept ?? '(absent)'}`)
      }
    },
  }),
  requirement({
    id: 'post/unacceptable-is-406',
    title: 'An Accept that allows neither type is answered 406, where it is refused.',
    rows: ['R039'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.7',
    async check({ open }) {
      const exchange = await pingAccepting(await open(), 'text/html')
      if (exchange.ok) notTestable('the server takes no account of Accept')
      expectStatus(exchange, 406, 'Accept: text/html')
    },
  }),
  requirement({
    id: 'post/content-type-may-have-parameters',
    title: 'Content-Type application/json may have parameters.',
    rows: ['R040'],
    level: 'SHOULD',
    spec: 'RFC 8259 §11',
    because: 'The type defines no parameters: one that is there has no effect.',
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
    title: 'Content-Type is read in any case.',
    rows: ['R041'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §8.3.1',
    because: 'Type and subtype are case-insensitive.',
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), { headers: { 'Content-Type': 'Application/JSON' } })
      expectStatus(exchange, 200, 'Content-Type: Application/JSON')
    },
  }),
  requirement({
    id: 'post/other-content-type-is-refused',
    title: 'A body of another type, or of none, is refused and not executed.',
    rows: ['R042', 'T2'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.16',
    because: 'Forms and plain text can be sent by any page without asking first.',
    async check({ open, target }) {
      const session = await open()
      const forms = ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']
      for (const type of ['text/plain', ...forms, 'application/json-evil', undefined]) {
        const attempt = createAttempt(target)
        const exchange = await session.post(attempt.message, { headers: { 'Content-Type': type } })
        expectStatus(exchange, [415, 400], `Content-Type: ${type ?? '(absent)'}`)
        await attempt.expectUntouched(session, `a message with Content-Type ${type ?? '(absent)'}`)
      }
    },
  }),
  requirement({
    id: 'post/content-type-parameter-is-no-type',
    title: 'A type whose parameter reads application/json is refused and not executed.',
    rows: ['R043', 'T2'],
    level: 'SHOULD',
    spec: 'WHATWG Fetch §2.2.2',
    because: 'It is sent without a preflight, as the plain text it is.',
    async check({ open, target }) {
      const session = await open()
      for (const type of ['text/plain; a=application/json', 'text/plain;application/json']) {
        const attempt = createAttempt(target)
        const exchange = await session.post(attempt.message, { headers: { 'Content-Type': type } })
        expectRefused(exchange, `Content-Type: ${type}`)
        await attempt.expectUntouched(session, `a message with Content-Type ${type}`)
      }
    },
  }),
  requirement({
    id: 'post/other-charset-is-refused',
    title: 'A body in UTF-16 is refused.',
    rows: ['R044'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports',
    because: 'Messages must be UTF-8.',
    async check({ open }) {
      const body = Buffer.from(JSON.stringify(freshPing()), 'utf16le')
      const headers = { 'Content-Type': 'application/json; charset=utf-16le' }
      expectRefused(await (await open()).post(body, { headers }), 'a body in UTF-16')
    },
  }),
  requirement({
    id: 'post/invalid-utf8-is-400',
    title: 'A body that is no valid UTF-8 is answered 400.',
    rows: ['R045', 'T18'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports',
    because: 'Messages must be UTF-8: to replace bytes and go on would execute what nobody sent.',
    async check({ open }) {
      const session = await open()
      const text = JSON.stringify(request('ping', { _meta: { text: '?' } }))
      for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80]]) {
        const [before = '', after = ''] = text.split('?')
        const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])
        const what = `a body with the bytes ${Buffer.from(bytes).toString('hex')}`
        expectStatus(await session.post(body), 400, what)
      }
    },
  }),
  requirement({
    id: 'post/byte-order-mark-is-no-server-error',
    title: 'A byte order mark before the message is ignored or answered 400.',
    rows: ['R046'],
    level: 'HARD',
    spec: 'RFC 8259 §8.1',
    because: 'A parser may ignore it or treat it as an error.',
    async check({ open }) {
      const session = await open()
      const exchange = await session.post(`\ufeff${JSON.stringify(freshPing())}`)
      expectStatus(exchange, [200, 400], 'a body that begins with a byte order mark')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/malformed-json-is-400',
    title: 'A body that is no JSON is answered with an HTTP error, such as 400.',
    rows: ['R047'],
    level: 'dMUST',
    spec,
    because: 'The body must be a JSON-RPC message; what is none cannot be accepted.',
    async check({ open }) {
      const session = await open()
      const whole = JSON.stringify(freshPing())
      const trailing = whole.replace(/}$/, ',}')
      const quotes = "{'jsonrpc':'2.0','id':1,'method':'ping'}"
      for (const body of [whole.slice(0, -1), trailing, '{"jsonrpc":"2.0","id":NaN}', quotes, whole + whole, '{bad']) {
        expectHttpError(await session.post(body), `the body ${body}`)
      }
    },
  }),
  requirement({
    id: 'post/malformed-json-is-a-parse-error',
    title: 'The answer to a body that is no JSON is the JSON-RPC error -32700, as application/json.',
    rows: ['R048'],
    level: 'SHOULD',
    spec: 'JSON-RPC 2.0 §5.1',
    because: 'The code is for JSON that is invalid, and an error that a client can read has a type that says so.',
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
    title: 'An empty body, and JSON that is no object, are answered with an HTTP error, such as 400.',
    rows: ['R049'],
    level: 'dMUST',
    spec,
    because: 'The body must be a JSON-RPC message, which is an object.',
    async check({ open }) {
      const session = await open()
      for (const body of ['', ' ', '5', '"ping"', 'null', 'true']) {
        expectHttpError(await session.post(body), `the body ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'post/jsonrpc-version-is-checked',
    title: 'A message whose jsonrpc is not "2.0" is refused and not executed.',
    rows: ['R050'],
    level: 'dMUST',
    spec: messages,
    because: 'All messages must follow JSON-RPC 2.0, where the member is exactly that.',
    async check({ open, target }) {
      const session = await open()
      for (const jsonrpc of ['1.0', 2, '2.00', null, undefined]) {
        const attempt = createAttempt(target)
        const exchange = await session.post({ ...attempt.message, jsonrpc })
        await expectBodyRefused(exchange, `jsonrpc ${JSON.stringify(jsonrpc)}`, [-32600])
        await attempt.expectUntouched(session, `a request with jsonrpc ${JSON.stringify(jsonrpc)}`)
      }
    },
  }),
  requirement({
    id: 'post/body-must-be-a-message',
    title:
      'An object that is neither request, notification nor response is answered with an HTTP error; one with a method and a result is refused, or taken for one of them.',
    rows: ['R051'],
    level: 'dMUST',
    spec: messages,
    because: 'The body must be one of the three.',
    async check({ open }) {
      const session = await open()
      const wrong = [
        { jsonrpc: '2.0' },
        { jsonrpc: '2.0', id: 1 },
        { jsonrpc: '2.0', id: 2, method: 5 },
        { jsonrpc: '2.0', id: 3, method: null },
      ]
      for (const body of wrong) expectHttpError(await session.post(body), `the body ${JSON.stringify(body)}`)
      // To whoever ignores members that he does not know, it is a request, or a response to what was never asked.
      const both = { ...freshPing(), result: {} }
      const { status } = await session.post(both)
      expectThat(
        status >= 400 || [200, 202].includes(status),
        `Expected 200, 202 or an error for ${JSON.stringify(both)}`,
      )
    },
  }),
  requirement({
    id: 'post/params-must-be-an-object',
    title: 'Params that are no object are refused: by a 4xx status, or by the error -32600 or -32602.',
    rows: ['R052'],
    level: 'HARD',
    spec: 'JSON-RPC 2.0 §4.2',
    because: 'In MCP params is an object; anything else is invalid, but for null, which may count as absent.',
    async check({ open }) {
      const session = await open()
      for (const params of [[], 5, 'x', true]) {
        const exchange = await session.post({ jsonrpc: '2.0', id: 1, method: 'ping', params })
        await expectBodyRefused(exchange, `params ${JSON.stringify(params)}`, [-32600, -32602])
      }
    },
  }),
  requirement({
    id: 'post/prototype-keys-have-no-effect',
    title: 'Keys such as __proto__ have no effect on this or other calls.',
    rows: ['R053', 'T18'],
    level: 'HARD',
    spec: 'CWE-1321',
    because: 'They change every object of a JavaScript server that merges them.',
    needs: ['role:echo'],
    async check({ open, target }) {
      const session = await open()
      // A tool that reads what it was not given would find `text`.
      const polluting = '"__proto__":{"text":"polluted"},"constructor":{"prototype":{"text":"polluted"}}'
      const name = JSON.stringify(target.roles.get('echo')?.tool)
      const params = `{${polluting},"name":${name},"arguments":{${polluting}}}`
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
    title: 'A batch is answered 400.',
    rows: ['R054'],
    level: 'SHOULD',
    spec,
    because: 'Since 2025-06-18 the body is a single message.',
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      expectStatus(await session.post([freshPing(), freshPing()]), 400, 'a batch')
      expectStatus(await session.post([freshPing()]), 400, 'a batch of one')
    },
  }),
  requirement({
    id: 'post/empty-batch-is-400',
    title: 'An empty array is answered with an HTTP error, such as 400, or the error -32600, in every revision.',
    rows: ['R055'],
    level: 'dMUST',
    spec,
    because: 'It holds no message that could be answered.',
    async check({ open, target }) {
      for (const version of target.versions) {
        const session = await open({ version })
        await expectBodyRefused(await session.post('[]'), `an empty array in a session of ${version}`, [-32600])
      }
    },
  }),
  requirement({
    id: 'post/unknown-members-do-no-harm',
    title: 'A message with unknown members is served or answered 400.',
    rows: ['R056'],
    level: 'HARD',
    spec: messages,
    because: 'The specification does not say which; later revisions may add members.',
    async check({ open }) {
      const session = await open()
      const message = { ...freshPing(), foo: 1, meta: { a: [] }, Method: 'tools/list' }
      const exchange = await session.post(message)
      expectStatus(exchange, [200, 400], 'a request with unknown members')
      if (exchange.ok) await responseIn(exchange, message.id)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/duplicate-keys-are-no-server-error',
    title: 'Keys that occur twice cause no server error.',
    rows: ['R057', 'T18'],
    level: 'HARD',
    spec: 'RFC 8259 §4',
    because: 'Names in an object should be unique, and senders get it wrong.',
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
    title: 'Members whose names differ in case are not taken for the right ones.',
    rows: ['T18'],
    level: 'dMUST',
    spec: 'JSON-RPC 2.0 §4',
    because: 'A gateway that inspects the message reads the exact names; the server must read the same.',
    async check({ open, target }) {
      const session = await open()
      const attempt = createAttempt(target)
      const { jsonrpc, id, method, params } = attempt.message
      for (const body of [
        { JSONRPC: jsonrpc, Id: id, Method: method, Params: params },
        { jsonrpc, id, METHOD: method, params },
      ]) {
        await expectBodyRefused(await session.post(body), 'a message with its keys in upper case', [-32600])
      }
      await attempt.expectUntouched(session, 'a message with its keys in upper case')
    },
  }),
  requirement({
    id: 'post/deep-nesting-does-no-harm',
    title: 'JSON that is nested 20,000 deep causes no server error.',
    rows: ['R058', 'T18'],
    level: 'HARD',
    spec: 'CWE-674',
    because: 'A parser that recurses runs out of stack.',
    abuse: true,
    async check({ open }) {
      const session = await open()
      const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
      const params = `{"_meta":{"nested":${nested}}}`
      const exchange = await session.post(`{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`)
      expectNoServerError(exchange, '20,000 nested arrays')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'post/huge-values-do-no-harm',
    title: 'A number beyond all bounds and an id of 1 MiB cause no server error.',
    rows: ['R058', 'T18'],
    level: 'HARD',
    spec: 'CWE-400',
    because: 'A client may send them; what they cost must be bounded.',
    abuse: true,
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
    title: 'Last-Event-ID on a POST is ignored.',
    rows: ['R141'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#resumability-and-redelivery',
    because: 'It resumes a stream by GET only.',
    async check({ open }) {
      const exchange = await (await open()).post(freshPing(), { headers: { 'Last-Event-ID': 'garbage' } })
      expectAccepted(exchange, 'a POST with Last-Event-ID')
    },
  }),
]
