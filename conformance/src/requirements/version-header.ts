import { expectAccepted, expectEqual, expectRefused, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { initialize, isResponse, notification, resultFor } from '../client/json-rpc.ts'
import { freshPing } from '../client/probes.ts'
import { patienceMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#protocol-version-header'
const invalid = ['garbage', '1999-01-01', '2099-01-01']

function naming(version: string | readonly string[] | undefined) {
  return { headers: { 'MCP-Protocol-Version': version } }
}

/** K. Protocol version header. */
export const versionHeaderRequirements = [
  requirement({
    id: 'version/invalid-is-400-on-request',
    title: 'A request other than initialize, of an invalid or unsupported MCP-Protocol-Version, is refused with 400.',
    rows: ['R170'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      for (const version of invalid) {
        expectStatus(await session.post(freshPing(), naming(version)), 400, `a request of version ${version}`)
      }
    },
  }),
  requirement({
    id: 'version/invalid-is-400-on-notification-and-response',
    title: 'A notification or response of an invalid or unsupported MCP-Protocol-Version is refused with 400.',
    rows: ['R171'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      for (const version of invalid) {
        const note = notification('notifications/roots/list_changed')
        expectStatus(await session.post(note, naming(version)), 400, `a notification of version ${version}`)
        expectStatus(await session.post(resultFor(1, {}), naming(version)), 400, `a response of version ${version}`)
      }
    },
  }),
  requirement({
    id: 'version/invalid-is-400-on-get',
    title: 'A GET of an invalid or unsupported MCP-Protocol-Version is refused with 400.',
    rows: ['R172'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    needs: ['get-stream'],
    async check({ open }) {
      const session = await open()
      for (const version of invalid) {
        expectStatus(await session.get(naming(version)), 400, `a GET of version ${version}`)
      }
    },
  }),
  requirement({
    id: 'version/invalid-is-400-on-delete',
    title: 'A DELETE of an invalid or unsupported MCP-Protocol-Version is refused with 400.',
    rows: ['R173'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    needs: ['sessions', 'delete'],
    async check({ open }) {
      for (const version of invalid) {
        expectStatus(await (await open()).delete(naming(version)), 400, `a DELETE of version ${version}`)
      }
    },
  }),
  requirement({
    id: 'version/refused-delete-leaves-the-session',
    title: 'A DELETE that is refused for its version ends no session.',
    rows: ['R173'],
    level: 'HARD',
    spec,
    because: 'A refusal says that nothing was done: a client that goes on would find its session gone.',
    since: '2025-06-18',
    needs: ['sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      const exchange = await session.delete(naming('1999-01-01'))
      if (exchange.ok) notTestable('a DELETE of an unsupported version is served')
      expectStatus(await session.post(freshPing()), 200, 'a ping after a DELETE that was refused')
    },
  }),
  requirement({
    id: 'version/header-is-one-version',
    title:
      'On a request other than initialize, an MCP-Protocol-Version that is a list or sent twice is refused with 400.',
    rows: ['R174'],
    level: 'HARD',
    spec,
    because: 'The header names the one version that was negotiated: several are none that is supported.',
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      const lines = ['2025-11-25', '2025-06-18']
      for (const value of ['2025-11-25, 2025-06-18', lines]) {
        const exchange = await session.post(freshPing(), naming(value))
        expectStatus(exchange, 400, `the version header ${JSON.stringify(value)}`)
      }
    },
  }),
  requirement({
    id: 'version/header-may-be-absent-in-a-session',
    title: 'In a session, requests and GET are accepted without MCP-Protocol-Version.',
    rows: ['R175'],
    level: 'SHOULD',
    spec,
    because: 'The server can tell the version by the session, as it was negotiated during initialization.',
    needs: ['sessions'],
    async check({ open, target }) {
      const session = await open()
      expectAccepted(await session.post(freshPing(), naming(undefined)), 'a request without the version header')
      if (!target.offers.has('get-stream')) return
      expectStatus(await session.get(naming(undefined)), 200, 'a GET without the version header')
    },
  }),
  requirement({
    id: 'version/other-supported-is-treated-alike',
    title: 'A supported version other than the negotiated one is accepted throughout or refused with 400 throughout.',
    rows: ['R177'],
    level: 'SHOULD',
    spec,
    because:
      'The clause says what the header should be, not what follows when it is another supported version: either is sane, to mix both is not.',
    async check({ open, target }) {
      const session = await open()
      const others = target.versions.filter((other) => other !== session.version)
      if (others.length === 0) notTestable('needs a server that speaks two revisions up to 2025-11-25')
      for (const version of others) {
        const first = await session.post(freshPing(), naming(version))
        expectStatus(first, [200, 400], `a supported version other than the negotiated one, ${version},`)
        const note = await session.post(notification('notifications/roots/list_changed'), naming(version))
        expectThat(
          first.ok === note.ok,
          `Expected requests and notifications to be treated alike for version ${version}`,
        )
      }
    },
  }),
  requirement({
    id: 'version/header-on-initialize-is-accepted',
    title: 'An initialize is accepted without MCP-Protocol-Version, and with one that names a supported version.',
    rows: ['R178'],
    level: 'HARD',
    spec,
    because: 'Negotiation goes by the protocolVersion of the body; the header is for the requests that follow.',
    async check({ post, delete: remove, target, version }) {
      for (const named of [undefined, ...target.versions]) {
        const exchange = await post(initialize(version), naming(named))
        expectAccepted(exchange, `initialize with the version header ${named ?? '(absent)'}`)
        const sessionId = exchange.header('mcp-session-id')
        if (sessionId !== undefined) await remove({ sessionId })
      }
    },
  }),
  requirement({
    id: 'version/initialize-is-negotiated-whatever-the-header-says',
    title: 'An initialize that asks for a supported version gets it, whatever MCP-Protocol-Version it carries.',
    rows: ['R178'],
    level: 'HARD',
    spec,
    because:
      'Clients set the header for all their requests, to the newest version they know: a server that refuses it there keeps newer clients from negotiating down.',
    async check({ post, delete: remove, version }) {
      for (const named of ['2099-01-01', 'garbage']) {
        const exchange = await post(initialize(version), naming(named))
        expectAccepted(exchange, `initialize with the version header ${named}`)
        const [response] = (await exchange.messages()).filter(isResponse)
        expectEqual(response?.result?.protocolVersion, version, `the version negotiated with the header ${named}`)
        const sessionId = exchange.header('mcp-session-id')
        if (sessionId !== undefined) await remove({ sessionId })
      }
    },
  }),
  requirement({
    id: 'version/invalid-in-unknown-session-is-refused',
    title: 'An unsupported version in an unknown session is refused with a 4xx status.',
    rows: ['R179', 'T22'],
    level: 'HARD',
    spec,
    since: '2025-06-18',
    because: 'Each of the two is refused for itself, with 400 or 404; which one is looked at first is open.',
    async check({ post, get }) {
      const options = { sessionId: 'never-issued-0123456789abcdef', ...naming('1999-01-01') }
      expectRefused(await post(freshPing(), options), 'a bad version in an unknown session')
      expectRefused(await get(options), 'a GET with a bad version in an unknown session')
    },
  }),
  requirement({
    id: 'stateless/absent-version-means-2025-03-26',
    title:
      'Without a session and without MCP-Protocol-Version, a request counts as one of 2025-03-26: a batch is answered.',
    rows: ['R176'],
    level: 'SHOULD',
    spec,
    because: 'The server has no other way to tell the version, and of all revisions it is 2025-03-26 that has batches.',
    since: '2025-06-18',
    needs: ['stateless', 'version:2025-03-26'],
    async check({ post }) {
      const batch = [freshPing(), freshPing()]
      const exchange = await post(batch, naming(undefined))
      expectStatus(exchange, 200, 'a batch without the version header')
      const answered = (await exchange.messages(patienceMs, batch.length))
        .filter(isResponse)
        .map(({ id }) => String(id))
      expectEqual(answered.toSorted(), batch.map(({ id }) => String(id)).toSorted(), 'the ids of the responses')
    },
  }),
]
