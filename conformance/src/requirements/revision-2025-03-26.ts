import { type Asking, beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import {
  errorCode,
  expectAccepted,
  expectEqual,
  expectRefused,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import {
  initialize,
  isObject,
  isRequest,
  isResponse,
  type Message,
  notification,
  request,
  toolCall,
} from '../client/json-rpc.ts'
import { expectAlive, expectListening, freshPing, messagesOn } from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { patienceMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const version = '2025-03-26'
const spec = '2025-03-26/basic/transports#sending-messages-to-the-server'
const batching = '2025-03-26/basic/index#batching'
const needsVersion = ['version:2025-03-26'] as const

/** Posts a batch; resolves with the ids of the responses, sorted, once the answer is complete. */
async function batch(
  session: Session,
  messages: readonly unknown[],
): Promise<{ exchange: Exchange; responses: Message[] }> {
  const exchange = await session.post(messages)
  return { exchange, responses: await responsesOf(exchange, messages.filter(isAnswered).length) }
}

function isAnswered(message: unknown): boolean {
  return isObject(message) && isRequest(message as Message)
}

async function responsesOf(exchange: Exchange, count: number): Promise<Message[]> {
  return (await exchange.messages(patienceMs, count)).filter(isResponse)
}

function idsOf(responses: readonly Message[]): string[] {
  return responses.map((response) => String(response.id)).toSorted()
}

async function expectEmpty202(exchange: Exchange, what: string): Promise<void> {
  expectStatus(exchange, 202, what)
  expectEqual(await exchange.text(), '', `the body in answer to ${what}`)
}

const batchesRefused = 'the server refuses batches, which `2025-03-26/batch-is-answered` tells'

/** R. What is different in 2025-03-26. */
export const revision20250326Requirements = [
  requirement({
    id: '2025-03-26/batch-is-answered',
    title: 'In a session of 2025-03-26, a batch of two requests is answered with both responses.',
    rows: ['R247'],
    level: 'MUST',
    spec: batching,
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const { exchange, responses } = await batch(session, [
        request('ping', undefined, 'one'),
        request('tools/list', {}, 'two'),
      ])
      expectAccepted(exchange, 'a batch of two requests')
      expectEqual(idsOf(responses), ['one', 'two'], 'the ids of the responses')
    },
  }),
  requirement({
    id: '2025-03-26/batch-of-notifications-is-202-empty',
    title: 'A batch of notifications is answered 202 without a body.',
    rows: ['R248'],
    level: 'MUST',
    spec,
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const note = notification('notifications/roots/list_changed')
      const exchange = await session.post([note, note])
      if (exchange.refused) notTestable(batchesRefused)
      await expectEmpty202(exchange, 'a batch of notifications')
    },
  }),
  requirement({
    id: '2025-03-26/batch-of-responses-is-202-empty',
    title: 'A batch of responses is answered 202 without a body, and each reaches the request it answers.',
    rows: ['R249'],
    level: 'MUST',
    spec,
    needs: [...needsVersion, 'sessions', 'sse', 'role:ask_roots'],
    async check({ open }) {
      const session = await open({ version })
      const askings: Asking[] = []
      for (let count = 0; count < 2; count++) askings.push(await beginAsk(session, { tool: 'ask_roots' }))
      const answers = askings.map(({ askedId }) => ({ jsonrpc: '2.0', id: askedId, result: { roots: [] } }))
      await expectEmpty202(await session.post(answers), 'a batch of responses')
      for (const asking of askings) {
        const response = await (await asking.call()).response()
        expectThat(
          response.result !== undefined,
          `Expected the tool to get its answer, got ${JSON.stringify(response)}`,
        )
      }
    },
  }),
  requirement({
    id: '2025-03-26/batch-stream-ends-after-every-response',
    title: 'The answer to a batch of a quick and a slow request ends only after both responses.',
    rows: ['R250'],
    level: 'SHOULD',
    spec,
    needs: needsVersion,
    async check({ open, target }) {
      const { roles } = target
      if (!roles.has('slow') && !roles.has('progress'))
        notTestable('needs a tool that takes a while (--tool slow=NAME)')
      const session = await open({ version })
      const fast = request('ping', undefined, 'fast')
      const slow = roles.has('slow')
        ? toolCall('slow', { ms: 250 }, { id: 'slow' })
        : toolCall('progress', {}, { id: 'slow' })
      const { responses } = await batch(session, [fast, slow])
      expectEqual(idsOf(responses), ['fast', 'slow'], 'the ids of the responses before the end')
    },
  }),
  requirement({
    id: '2025-03-26/mixed-batch-answers-only-requests',
    title: 'A batch of requests and a notification is answered with one response for each request.',
    rows: ['R251'],
    level: 'MUST',
    spec: 'JSON-RPC 2.0 §6',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const note = notification('notifications/roots/list_changed')
      const requests = [request('ping', undefined, 'a'), request('no/such/method', {}, 'b')]
      const { exchange, responses } = await batch(session, [requests[0], note, requests[1]])
      if (exchange.refused) notTestable(batchesRefused)
      expectEqual(idsOf(responses), ['a', 'b'], 'the ids of the responses')
      expectThat(responses.find(({ id }) => id === 'a')?.result !== undefined, 'Expected a result for the ping')
    },
  }),
  requirement({
    id: '2025-03-26/invalid-element-spoils-no-other',
    title:
      'A batch with an invalid element is refused as a whole, or answered with an error for that element and a result for the rest.',
    rows: ['R252'],
    level: 'MUST',
    spec: 'JSON-RPC 2.0 §6',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      for (const invalid of [1, null, {}, { jsonrpc: '1.0', id: 'bad', method: 'ping' }]) {
        const exchange = await session.post([request('ping', undefined, 'good'), invalid])
        if (exchange.status >= 400) continue
        const responses = await responsesOf(exchange, 2)
        const good = responses.find(({ id }) => id === 'good')
        expectThat(
          good?.result !== undefined,
          `Expected the valid request beside ${JSON.stringify(invalid)} to be answered`,
        )
        const refused = responses.some((response) => response.error !== undefined)
        expectThat(refused, `Expected an error for the element ${JSON.stringify(invalid)}`)
      }
      await expectAlive(session)
    },
  }),
  requirement({
    id: '2025-03-26/huge-batch-is-refused',
    title: 'A batch of 10,000 requests is refused with a 4xx status.',
    rows: ['R254', 'T18'],
    level: 'HARD',
    spec: batching,
    because: 'One small body must not start any amount of work; no client needs batches of that size.',
    needs: needsVersion,
    abuse: true,
    async check({ open }) {
      const session = await open({ version })
      const many = Array.from({ length: 10_000 }, () => freshPing())
      expectRefused(await session.post(many), 'a batch of 10,000 requests')
      await expectAlive(session)
    },
  }),
  requirement({
    id: '2025-03-26/duplicate-id-in-a-batch-is-told-apart',
    title: 'Two requests with one id in a batch are both answered, or refused.',
    rows: ['R254'],
    level: 'HARD',
    spec: '2025-03-26/basic/index#requests',
    because: 'The clause has ids unique within a session; a server that takes both must not lose one of them.',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const exchange = await session.post([request('ping', undefined, 1), request('tools/list', {}, 1)])
      if (exchange.refused) return
      const responses = await responsesOf(exchange, 2)
      const complete = responses.length === 2 || responses.some((response) => errorCode(response) === -32600)
      expectThat(complete, `Expected both to be answered or refused, got ${JSON.stringify(responses)}`)
    },
  }),
  requirement({
    id: '2025-03-26/foreign-origin-is-refused',
    title: 'A request of 2025-03-26 with the Origin of another site is refused with a 4xx status.',
    rows: ['R255'],
    level: 'MUST',
    spec: '2025-03-26/basic/transports#security-warning',
    needs: needsVersion,
    async check({ open, post }) {
      const options = { headers: { Origin: 'http://evil.example.com' } }
      expectRefused(await post(initialize(version), options), 'initialize of a foreign page')
      expectRefused(await (await open({ version })).post(freshPing(), options), 'a request of a foreign page')
    },
  }),
  requirement({
    id: '2025-03-26/version-header-is-not-needed',
    title: 'In a session of 2025-03-26, requests, notifications and GET are accepted without MCP-Protocol-Version.',
    rows: ['R256'],
    level: 'HARD',
    spec: '2025-03-26/basic/transports',
    because: 'That revision has no such header, so that its clients do not send it.',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version, headers: { 'MCP-Protocol-Version': undefined } })
      await expectAlive(session)
      expectAccepted(await session.notify('notifications/roots/list_changed'), 'a notification without the header')
      await expectListening(await session.get(), () => open({ version }), 'a GET without the header')
    },
  }),
  requirement({
    id: '2025-03-26/stream-is-not-closed-before-the-response',
    title: 'In sessions of revisions before 2025-11-25 the stream of a call stays open until its response.',
    rows: ['R257'],
    level: 'SHOULD NOT',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    needs: ['sse', 'role:close'],
    async check({ open, target }) {
      const older = target.versions.filter((named) => named < '2025-11-25')
      if (older.length === 0) notTestable('needs a server that speaks a revision before 2025-11-25')
      let streamed = 0
      for (const named of older) {
        const session = await open({ version: named })
        const call = await session.call('close', {}, { progressToken: 'p' })
        if (!call.exchange.isEventStream) continue
        streamed += 1
        await call.exchange.stream.answered(1)
        const answered = messagesOn(call.exchange).some(isResponse)
        expectThat(answered, `Expected the stream of a session of ${named} to stay open until the response`)
      }
      if (streamed === 0) notTestable('the calls are answered with JSON')
    },
  }),
]
