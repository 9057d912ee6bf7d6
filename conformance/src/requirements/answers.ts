import { createAttempt } from '../client/attempt.ts'
import {
  describe,
  errorCode,
  expectEqual,
  expectHttpError,
  expectResult,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import { initialize, isObject, isResponse, type Message, request, textOf, toolCall } from '../client/json-rpc.ts'
import { problemOf } from '../client/message-grammar.ts'
import { countResponses, expectAlive } from '../client/probes.ts'
import { Call, responseIn } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#sending-messages-to-the-server'
const requests = '2025-11-25/basic/index#requests'
const responses = '2025-11-25/basic/index#responses'

/** E. POST: answering requests. */
export const answerRequirements = [
  requirement({
    id: 'answer/is-one-json-object-or-an-event-stream',
    title: 'A request is answered with one JSON object or an event stream.',
    rows: ['R069'],
    level: 'MUST',
    spec,
    async check({ open, post, version }) {
      const session = await open()
      const exchanges = [
        await post(initialize(version)),
        await session.post(request('ping')),
        await session.post(request('tools/list')),
      ]
      for (const exchange of exchanges) {
        if (exchange.contentType === 'text/event-stream') continue
        expectEqual(exchange.contentType, 'application/json', 'the Content-Type of an answer')
        const body = await exchange.json()
        expectThat(isObject(body), `Expected one JSON object, got ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'answer/id-equals-the-requests-id',
    title: 'A response has the id of its request, in value and type.',
    rows: ['R070'],
    level: 'MUST',
    spec: '2025-11-25/basic/index#result-responses',
    async check({ open }) {
      const session = await open()
      const ids = ['text', 0, '', -1, 1, '1', Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 'ünïcødé 😀', '"\\\n']
      for (const id of ids) {
        const message = (await (await session.post(request('ping', undefined, id))).messages()).find(isResponse)
        expectEqual(message?.id, id, 'the id of the response')
        expectResult(message, `ping with the id ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'answer/null-id-is-refused',
    title: 'A request with the id null is refused and not executed.',
    rows: ['R071'],
    level: 'dMUST',
    spec: requests,
    because: 'An id must not be null; to take it for a notification would leave the client waiting.',
    async check({ open, target }) {
      const session = await open()
      const attempt = createAttempt(target)
      const exchange = await session.post({ ...attempt.message, id: null })
      const message = exchange.status === 202 ? undefined : (await exchange.messages()).find(isResponse)
      expectThat(exchange.status !== 202, 'Expected a request with id null not to be taken for a notification')
      if (exchange.ok) expectEqual(errorCode(message), -32600, 'the code of the error for id null')
      else expectHttpError(exchange, 'a request with the id null')
      await attempt.expectUntouched(session, 'a request with id null')
    },
  }),
  requirement({
    id: 'answer/other-ids-are-refused',
    title: 'A request whose id is neither text nor a number is refused and not executed; a fraction may be served.',
    rows: ['R072'],
    level: 'dMUST',
    spec: requests,
    because: 'An id must be a string or integer.',
    async check({ open, target }) {
      const session = await open()
      for (const id of [1.5, true, {}, [1]]) {
        const attempt = createAttempt(target)
        const exchange = await session.post({ ...attempt.message, id })
        const message = exchange.status === 202 ? undefined : (await exchange.messages()).find(isResponse)
        // JSON-RPC itself only advises against a fraction (§4): to serve it under its id is sane.
        const isServed = id === 1.5 && message?.id === id
        const refused = exchange.status >= 400 || errorCode(message) === -32600 || isServed
        const got = `status ${exchange.status} ${describe(message)}`
        expectThat(refused, `Expected the id ${JSON.stringify(id)} to be refused, got ${got}`)
        if (!isServed) await attempt.expectUntouched(session, `a request with the id ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'answer/error-carries-the-requests-id',
    title: 'An error has the id of its request, and the code of what was wrong.',
    rows: ['R073'],
    level: 'MUST',
    spec: '2025-11-25/basic/index#error-responses',
    because: 'That it has the id, the clause says; the codes are those of JSON-RPC 2.0, which every message follows.',
    async check({ open }) {
      const session = await open()
      for (const [message, codes] of [
        [request('no/such/method', {}, 'x'), [-32601]],
        // A server without tools does not know the method.
        [request('tools/call', { name: 5 }, 7), [-32602, -32603, -32601]],
      ] as const) {
        const answer = (await (await session.post(message)).messages()).find(isResponse)
        // Some servers tell of a tool that they do not know in a result, as of one that fails.
        if (message.method === 'tools/call' && answer?.result?.isError === true) continue
        const code = errorCode(answer) ?? 0
        expectThat(
          codes.some((expected) => expected === code),
          `Expected the error ${codes}, got ${JSON.stringify(answer)}`,
        )
        expectEqual(answer?.id, message.id, 'the id of the error')
      }
    },
  }),
  requirement({
    id: 'answer/refusal-echoes-the-id-or-has-none',
    title: 'A refusal has the id of the request or none, never another.',
    rows: ['R074'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/index#error-responses',
    because: 'An error must have the id of its request; where that cannot be read, the member is left out.',
    // Earlier schemas want an id in every error, and JSON-RPC wants null where there is none.
    since: '2025-11-25',
    async check({ open }) {
      const session = await open()
      const message = request('ping', undefined, 7)
      const refusals = [
        await session.post(message, { headers: { 'MCP-Protocol-Version': '1999-01-01' } }),
        await session.post(message, { headers: { Accept: 'text/html' } }),
        await session.post('{bad'),
        await session.post({ jsonrpc: '2.0', id: null, method: 'ping' }),
      ]
      if (refusals.every(({ ok }) => ok)) notTestable('the server refuses nothing of what was tried')
      for (const exchange of refusals) {
        if (exchange.ok) continue
        const body = await exchange.json()
        if (!isObject(body)) continue
        const id = 'id' in body ? body.id : undefined
        expectThat(id === undefined || id === 7, `Expected the id 7 or none in a refusal, got ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'answer/json-rpc-error-has-status-200',
    title: 'A JSON-RPC error to a request that was taken has the status 200.',
    rows: ['R075'],
    level: 'SHOULD',
    spec: responses,
    because: 'The message was accepted: its answer is JSON or a stream like any other.',
    async check({ open }) {
      const session = await open()
      expectStatus(await session.post(request('no/such/method')), 200, 'an unknown method')
      expectStatus(await session.post(request('tools/call', { name: 'no-such-tool' })), 200, 'an unknown tool')
    },
  }),
  requirement({
    id: 'answer/is-exactly-one',
    title: 'Each request gets exactly one response, over all streams.',
    rows: ['R076'],
    level: 'dMUST',
    spec: responses,
    because: 'A response belongs to a request; a second one belongs to none.',
    async check({ open, target }) {
      const session = await open()
      await session.ensureListening()
      const messages: Message[] = [request('ping'), request('tools/list'), request('no/such/method')]
      if (target.offers.has('sse')) messages.push(toolCall('progress', {}, { progressToken: 1 }))
      const answers = await Promise.all(
        messages.map(async (message) => {
          const exchange = await session.post(message)
          await responseIn(exchange, message.id)
          return exchange
        }),
      )
      await delay(200)
      for (const [index, message] of messages.entries()) {
        const answer = answers[index]
        const inBody = answer === undefined || answer.isEventStream ? [] : await answer.messages()
        const all = [...inBody, ...session.received.map((received) => received.message)]
        expectEqual(countResponses(all, message.id), 1, `the number of responses to ${message.method}`)
      }
    },
  }),
  requirement({
    id: 'answer/malformed-meta-is-answered',
    title: 'A malformed _meta is answered, with a result or an error.',
    rows: ['R052', 'R076'],
    level: 'HARD',
    spec: '2025-11-25/basic/index#_meta',
    because: 'A client that waits for an answer must get one.',
    async check({ open }) {
      const session = await open()
      const metas = [5, null, { progressToken: {} }, { progressToken: 1.5 }, { progressToken: null }]
      await Promise.all(
        metas.map(async (_meta) => {
          const message = request('ping', { _meta })
          const exchange = await session.post(message)
          if (exchange.refused) return
          const answer = await responseIn(exchange, message.id)
          const known = answer.result !== undefined || [-32600, -32602].includes(errorCode(answer) ?? 0)
          expectThat(
            known,
            `Expected a result, -32600 or -32602 for _meta ${JSON.stringify(_meta)}, got ${JSON.stringify(answer)}`,
          )
        }),
      )
    },
  }),
  requirement({
    id: 'answer/messages-are-valid',
    title: 'Every message of the server fits the schema.',
    rows: ['R077'],
    level: 'MUST',
    spec: '2025-11-25/schema',
    async check({ open, target }) {
      const session = await open()
      await session.ensureListening()
      const expectValid = (message: unknown, method?: string) => {
        const problem = problemOf(message, method)
        expectThat(problem === undefined, `Expected a valid message, but it${problem} in ${JSON.stringify(message)}`)
      }
      expectValid(session.initializeResponse, 'initialize')
      const messages = [request('ping'), request('tools/list'), request('no/such/method')]
      // Of the official suite's fixture, and of roles: a tool by any other name may do anything.
      for (const tool of ['test_simple_text', 'test_error_handling']) {
        if (target.tools.has(tool)) messages.push(toolCall(tool))
      }
      for (const role of ['log', 'list_changed']) if (target.roles.has(role)) messages.push(toolCall(role))
      if (target.roles.has('push')) messages.push(toolCall('push', { count: 1, text: 'valid' }))
      if (target.offers.has('sse')) messages.push(toolCall('progress', {}, { progressToken: 'p' }))
      for (const message of messages) {
        const exchange = await session.post(message)
        for (const answer of await exchange.messages()) expectValid(answer, message.method)
      }
      for (const body of ['{bad', '[]', '5', '{"jsonrpc":"2.0"}']) {
        const refusal = await (await session.post(body)).json()
        if (!isObject(refusal) || !('jsonrpc' in refusal)) continue
        // JSON-RPC wants the id null there, and the schema none: that is for another requirement.
        const { id, ...others } = refusal
        expectValid(id === null ? others : refusal)
      }
      for (const { message } of session.received) {
        if (message.method !== undefined) expectValid(message)
      }
    },
  }),
  requirement({
    id: 'answer/json-only-client-is-not-left-waiting',
    title: 'A tool that must ask a client which takes JSON only fails at once.',
    rows: ['R078'],
    level: 'HARD',
    spec,
    because: 'Nothing can carry the question, so that its answer never comes.',
    needs: ['role:ask'],
    async check({ open }) {
      const session = await open()
      const message = toolCall('ask', { question: 'nobody will see this' })
      const exchange = await session.post(message, { headers: { Accept: 'application/json' } })
      if (exchange.refused) return
      const answer = (await exchange.messages()).find(isResponse)
      const failed = answer?.error !== undefined || answer?.result?.isError === true
      expectThat(failed, `Expected an error, for nobody can be asked, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'answer/crash-of-a-handler-is-one-error',
    title: 'A tool that throws gets exactly one answer, which says so.',
    rows: ['R079'],
    level: 'HARD',
    spec: responses,
    because: 'The call of a client must end, however the handler does.',
    needs: ['role:throw_sync', 'role:throw_after_progress'],
    async check({ open }) {
      const session = await open()
      for (const [tool, as] of [
        ['throw_sync', 'result'],
        ['throw_sync', 'error'],
        ['throw_after_progress', 'result'],
        ['throw_after_progress', 'error'],
      ] as const) {
        const message = toolCall(tool, { as }, { progressToken: 'p' })
        const exchange = await session.post(message)
        const answer = await new Call(exchange, message.id ?? '').response()
        const failed = answer.error !== undefined || answer.result?.isError === true
        expectThat(failed, `Expected an error from ${tool}, got ${textOf(answer)}`)
        expectEqual(countResponses(await exchange.messages(), message.id), 1, `the number of answers of ${tool}`)
      }
      await expectAlive(session)
    },
  }),
]
