import { expectEqual, expectRefused, expectStatus, expectThat } from '../client/expect.ts'
import { isResponse, type Message, request } from '../client/json-rpc.ts'
import { problemOf } from '../client/message-grammar.ts'
import { freshPing } from '../client/probes.ts'
import { responseIn } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const version = '2025-06-18'
const needsVersion = ['version:2025-06-18'] as const

/** S. What is different in 2025-06-18. */
export const revision20250618Requirements = [
  requirement({
    id: '2025-06-18/batch-is-refused',
    title: 'In a session of 2025-06-18, a batch is refused with a 4xx status.',
    rows: ['R258'],
    level: 'SHOULD',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    because: 'The body must be a single message from this revision on, and what cannot be accepted is an HTTP error.',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      expectRefused(await session.post([freshPing()]), 'a batch')
    },
  }),
  requirement({
    id: '2025-06-18/invalid-version-is-400',
    title: 'In a session of 2025-06-18, an unsupported MCP-Protocol-Version is refused with 400.',
    rows: ['R259'],
    level: 'MUST',
    spec: '2025-06-18/basic/transports#protocol-version-header',
    needs: needsVersion,
    async check({ open, target }) {
      const session = await open({ version })
      expectEqual(session.version, version, 'the negotiated version')
      for (const named of ['garbage', '1999-01-01']) {
        const options = { headers: { 'MCP-Protocol-Version': named } }
        expectStatus(await session.post(freshPing(), options), 400, `a request of version ${named}`)
        if (!target.offers.has('get-stream')) continue
        expectStatus(await session.get(options), 400, `a GET of version ${named}`)
      }
    },
  }),
  requirement({
    id: '2025-06-18/messages-fit-the-revision',
    title: 'A client of 2025-06-18 gets only messages that are valid in that revision.',
    rows: ['R260'],
    level: 'HARD',
    spec: '2025-06-18/basic/index#responses',
    because: 'Its clients hold every message against the schema of that revision: what came later breaks them.',
    needs: needsVersion,
    async check({ open, target }) {
      const session = await open({ version })
      expectFits(session.initializeResponse, 'initialize')
      if (target.offers.has('get-stream')) await session.listen()
      for (const method of ['ping', 'tools/list', 'no/such/method']) {
        const message = request(method)
        const exchange = await session.post(message)
        if (exchange.ok) expectFits(await responseIn(exchange, message.id), method)
      }
      if (target.roles.has('progress')) {
        const call = await session.call('progress', {}, { progressToken: 'p' })
        expectFits(await call.response(), 'tools/call')
      }
      for (const { message } of session.received.filter(({ message }) => !isResponse(message))) expectFits(message)
    },
  }),
]

function expectFits(message: Message, method?: string): void {
  const problem = problemOf(message, method)
  expectThat(problem === undefined, `Expected a message of ${version}, got ${JSON.stringify(message)}: it ${problem}`)
  // An error without an id came with 2025-11-25.
  expectThat(message.method !== undefined || message.id !== undefined, 'Expected every response to have an id')
}
