import { errorCode, expectEqual, expectRefused, expectResult, expectStatus, expectThat } from '../client/expect.ts'
import { initialize, isObject, type Message, request, textOf, toolCall } from '../client/json-rpc.ts'
import { problemOf } from '../client/message-grammar.ts'
import { countResponses, expectAlive, Trace } from '../client/probes.ts'
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
        if (exchange.isEventStream) continue
        expectEqual(exchange.contentType, 'application/json', 'the Content-Type of an answer')
        const body = await exchange.json()
        expectThat(isObject(body), `Expected one JSON object, got ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'answer/id-equals-the-requests-id',
    rows: ['R070'],
    level: 'MUST',
    spec: responses,
    async check({ open }) {
      const session = await open()
      const ids = ['text', 0, '', -1, 1, '1', Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 'ünïcødé 😀', '"\\\n']
      for (const id of ids) {
        const [message] = await (await session.post(request('tools/list', {}, id))).messages()
        expectEqual(message?.id, id, 'the id of the response')
        expectResult(message, `tools/list with the id ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'answer/null-id-is-refused',
    rows: ['R071'],
    level: 'dMUST',
    spec: requests,
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      const trace = new Trace()
      const exchange = await session.post({ ...trace.call(), id: null })
      const [message] = exchange.status === 202 ? [] : await exchange.messages()
      expectThat(exchange.status !== 202, 'Expected a request with id null not to be taken for a notification')
      if (exchange.ok) expectEqual(errorCode(message), -32600, 'the code of the error for id null')
      else expectRefused(exchange, 'a request with id null')
      await trace.expectUntouched(session, 'a request with id null')
    },
  }),
  requirement({
    id: 'answer/other-ids-are-refused',
    rows: ['R072'],
    level: 'dMUST',
    spec: requests,
    needs: ['role:abort_probe', 'role:abort_query'],
    async check({ open }) {
      const session = await open()
      for (const id of [1.5, true, {}, [1]]) {
        const trace = new Trace()
        const exchange = await session.post({ ...trace.call(), id })
        const [message] = exchange.status === 202 ? [] : await exchange.messages()
        const refused = exchange.refused || errorCode(message) === -32600
        expectThat(refused, `Expected the id ${JSON.stringify(id)} to be refused, got status ${exchange.status}`)
        await trace.expectUntouched(session, `a request with the id ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'answer/error-carries-the-requests-id',
    rows: ['R073'],
    level: 'MUST',
    spec: '2025-11-25/basic/index#error-responses',
    async check({ open }) {
      const session = await open()
      for (const [message, codes] of [
        [request('no/such/method', {}, 'x'), [-32601]],
        [request('tools/call', { name: 5 }, 7), [-32602, -32603]],
      ] as const) {
        const [answer] = await (await session.post(message)).messages()
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
    rows: ['R074'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/index#error-responses',
    async check({ open }) {
      const session = await open()
      const message = request('ping', undefined, 7)
      const refusals = [
        await session.post(message, { headers: { 'MCP-Protocol-Version': '1999-01-01' } }),
        await session.post(message, { headers: { Accept: 'text/html' } }),
        await session.post('{bad'),
        await session.post({ jsonrpc: '2.0', id: null, method: 'ping' }),
      ]
      for (const exchange of refusals) {
        const body = await exchange.json()
        if (exchange.ok || !isObject(body)) continue
        const id = 'id' in body ? body.id : undefined
        expectThat(id === undefined || id === 7, `Expected the id 7 or none in a refusal, got ${JSON.stringify(body)}`)
      }
    },
  }),
  requirement({
    id: 'answer/json-rpc-error-has-status-200',
    rows: ['R075'],
    level: 'SHOULD',
    spec: responses,
    async check({ open }) {
      const session = await open()
      expectStatus(await session.post(request('no/such/method')), 200, 'an unknown method')
      expectStatus(await session.post(request('tools/call', { name: 'no-such-tool' })), 200, 'an unknown tool')
    },
  }),
  requirement({
    id: 'answer/is-exactly-one',
    rows: ['R076'],
    level: 'dMUST',
    spec: responses,
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
    rows: ['R052', 'R076'],
    level: 'HARD',
    spec: '2025-11-25/basic/index#_meta',
    async check({ open }) {
      const session = await open()
      const metas = [5, null, { progressToken: {} }, { progressToken: 1.5 }, { progressToken: null }]
      await Promise.all(
        metas.map(async (_meta) => {
          const message = request('ping', { _meta })
          const exchange = await session.post(message, { headMs: 3_000 })
          if (exchange.refused) return
          const answer = await responseIn(exchange, message.id, 3_000)
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
      for (const tool of [
        'test_simple_text',
        'test_error_handling',
        'test_tool_with_logging',
        'push',
        'list_changed',
      ]) {
        if (target.tools.has(tool)) messages.push(toolCall(tool))
      }
      if (target.offers.has('sse')) messages.push(toolCall('progress', {}, { progressToken: 'p' }))
      for (const message of messages) {
        const exchange = await session.post(message)
        for (const answer of await exchange.messages()) expectValid(answer, message.method)
      }
      for (const body of ['{bad', '[]', '5', '{"jsonrpc":"2.0"}']) {
        const refusal = await (await session.post(body)).json()
        if (isObject(refusal) && 'jsonrpc' in refusal) expectValid(refusal)
      }
      for (const { message } of session.received) {
        if (message.method !== undefined) expectValid(message)
      }
    },
  }),
  requirement({
    id: 'answer/json-only-client-is-not-left-waiting',
    rows: ['R078'],
    level: 'HARD',
    spec,
    needs: ['role:ask'],
    async check({ open }) {
      const session = await open()
      const message = toolCall('ask', { question: 'nobody will see this' })
      const exchange = await session.post(message, { headers: { Accept: 'application/json' }, headMs: 3_000 })
      if (exchange.refused) return
      const [answer] = await exchange.messages(3_000)
      const failed = answer?.error !== undefined || answer?.result?.isError === true
      expectThat(failed, `Expected an error, for nobody can be asked, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'answer/crash-of-a-handler-is-one-error',
    rows: ['R079'],
    level: 'HARD',
    spec: responses,
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
