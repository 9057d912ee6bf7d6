import { expectAccepted, expectRefused, expectStatus, expectThat } from '../client/expect.ts'
import { initialize, notification, resultFor } from '../client/json-rpc.ts'
import { expectAlive, freshPing } from '../client/probes.ts'
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
    rows: ['R172'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      for (const version of invalid) {
        expectStatus(await session.get(naming(version)), [400, 405], `a GET of version ${version}`)
      }
    },
  }),
  requirement({
    id: 'version/invalid-is-400-on-delete',
    rows: ['R173'],
    level: 'MUST',
    spec,
    since: '2025-06-18',
    needs: ['sessions'],
    async check({ open }) {
      const session = await open()
      for (const version of invalid) {
        expectStatus(await session.delete(naming(version)), [400, 405], `a DELETE of version ${version}`)
      }
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'version/header-is-one-version',
    rows: ['R174'],
    level: 'HARD',
    spec,
    since: '2025-06-18',
    async check({ open }) {
      const session = await open()
      const lines = ['2025-11-25', '2025-06-18']
      for (const value of ['', '2025-11-25, 2025-06-18', lines]) {
        const exchange = await session.post(freshPing(), naming(value))
        expectStatus(exchange, 400, `the version header ${JSON.stringify(value)}`)
      }
    },
  }),
  requirement({
    id: 'version/header-may-be-absent-in-a-session',
    rows: ['R175'],
    level: 'SHOULD',
    spec,
    async check({ open }) {
      const session = await open()
      expectAccepted(await session.post(freshPing(), naming(undefined)), 'a request without the version header')
      const listening = await session.get(naming(undefined))
      expectStatus(listening, [200, 405], 'a GET without the version header')
    },
  }),
  requirement({
    id: 'version/other-supported-is-treated-alike',
    rows: ['R177'],
    level: 'SHOULD',
    spec,
    async check({ open, target }) {
      const session = await open()
      for (const version of target.versions.filter((other) => other !== session.version)) {
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
    rows: ['R178'],
    level: 'HARD',
    spec,
    async check({ post, target, version }) {
      for (const named of [undefined, ...target.versions]) {
        const exchange = await post(initialize(version), naming(named))
        expectAccepted(exchange, `initialize with the version header ${named ?? '(absent)'}`)
      }
    },
  }),
  requirement({
    id: 'version/invalid-in-unknown-session-is-refused',
    rows: ['R179', 'T22'],
    level: 'HARD',
    spec,
    async check({ post, get }) {
      const options = { sessionId: 'never-issued-0123456789abcdef', ...naming('1999-01-01') }
      expectRefused(await post(freshPing(), options), 'a bad version in an unknown session')
      expectRefused(await get(options), 'a GET with a bad version in an unknown session')
    },
  }),
]
