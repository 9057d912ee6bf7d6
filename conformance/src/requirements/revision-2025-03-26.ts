import { type Asking, beginAsk } from '../client/asking.ts'
import type { Exchange } from '../client/exchange.ts'
import { errorCode, expectAccepted, expectEqual, expectRefused, expectStatus, expectThat } from '../client/expect.ts'
import { initialize, isResponse, type Message, notification, request, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing, messagesOn } from '../client/probes.ts'
import type { Session } from '../client/session.ts'
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
  const responses = (await exchange.messages()).filter(isResponse)
  return { exchange, responses }
}

function idsOf(responses: readonly Message[]): string[] {
  return responses.map((response) => String(response.id)).toSorted()
}

async function expectEmpty202(exchange: Exchange, what: string): Promise<void> {
  expectStatus(exchange, 202, what)
  expectEqual(await exchange.text(), '', `the body in answer to ${what}`)
}

/** R. What is different in 2025-03-26. */
export const revision20250326Requirements = [
  requirement({
    id: '2025-03-26/batch-is-answered',
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
    rows: ['R248'],
    level: 'MUST',
    spec,
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const note = notification('notifications/roots/list_changed')
      await expectEmpty202(await session.post([note, note]), 'a batch of notifications')
    },
  }),
  requirement({
    id: '2025-03-26/batch-of-responses-is-202-empty',
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
    rows: ['R250'],
    level: 'SHOULD',
    spec,
    needs: [...needsVersion, 'role:slow'],
    async check({ open }) {
      const session = await open({ version })
      const fast = request('ping', undefined, 'fast')
      const slow = toolCall('slow', { ms: 250 }, { id: 'slow' })
      const { responses } = await batch(session, [fast, slow])
      expectEqual(idsOf(responses), ['fast', 'slow'], 'the ids of the responses before the end')
    },
  }),
  requirement({
    id: '2025-03-26/mixed-batch-answers-only-requests',
    rows: ['R251'],
    level: 'MUST',
    spec: 'JSON-RPC 2.0 §6',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const note = notification('notifications/roots/list_changed')
      const requests = [request('ping', undefined, 'a'), request('no/such/method', {}, 'b')]
      const { responses } = await batch(session, [requests[0], note, requests[1]])
      expectEqual(idsOf(responses), ['a', 'b'], 'the ids of the responses')
      expectThat(responses.find(({ id }) => id === 'a')?.result !== undefined, 'Expected a result for the ping')
    },
  }),
  requirement({
    id: '2025-03-26/invalid-element-spoils-no-other',
    rows: ['R252'],
    level: 'MUST',
    spec: 'JSON-RPC 2.0 §6',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      for (const invalid of [1, null, {}, { jsonrpc: '1.0', id: 'bad', method: 'ping' }]) {
        const exchange = await session.post([request('ping', undefined, 'good'), invalid])
        if (exchange.status === 400) continue
        const responses = (await exchange.messages()).filter(isResponse)
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
    rows: ['R254', 'T18'],
    level: 'HARD',
    spec: batching,
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const many = Array.from({ length: 10_000 }, () => freshPing())
      expectRefused(await session.post(many), 'a batch of 10,000 requests')
      await expectAlive(session)
    },
  }),
  requirement({
    id: '2025-03-26/duplicate-id-in-a-batch-is-told-apart',
    rows: ['R254'],
    level: 'HARD',
    spec: '2025-03-26/basic/index#requests',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      const exchange = await session.post([request('ping', undefined, 1), request('tools/list', {}, 1)])
      if (exchange.refused) return
      const responses = (await exchange.messages()).filter(isResponse)
      const complete = responses.length === 2 || responses.some((response) => errorCode(response) === -32600)
      expectThat(complete, `Expected both to be answered or refused, got ${JSON.stringify(responses)}`)
    },
  }),
  requirement({
    id: '2025-03-26/foreign-origin-is-refused',
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
    rows: ['R256'],
    level: 'HARD',
    spec: '2025-03-26/basic/transports',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version, headers: { 'MCP-Protocol-Version': undefined } })
      await expectAlive(session)
      expectAccepted(await session.notify('notifications/roots/list_changed'), 'a notification without the header')
      expectStatus(await session.get(), [200, 405], 'a GET without the header')
    },
  }),
  requirement({
    id: '2025-03-26/stream-is-not-closed-before-the-response',
    rows: ['R257'],
    level: 'SHOULD NOT',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    needs: ['sse', 'role:close_stream'],
    async check({ open, target }) {
      for (const older of target.versions.filter((named) => named < '2025-11-25')) {
        const session = await open({ version: older })
        const call = await session.call('close_stream', { times: 1, delayMs: 50 }, { progressToken: 'p' })
        if (!call.exchange.isEventStream) continue
        await call.exchange.stream.closed()
        const answered = messagesOn(call.exchange).some(isResponse)
        expectThat(answered, `Expected the stream of a session of ${older} to stay open until the response`)
      }
    },
  }),
]
