import { expectEqual, expectStatus } from '../client/expect.ts'
import { freshPing } from '../client/probes.ts'
import { requirement } from '../requirement.ts'

const version = '2025-06-18'
const needsVersion = ['version:2025-06-18'] as const

/** S. What is different in 2025-06-18. */
export const revision20250618Requirements = [
  requirement({
    id: '2025-06-18/batch-is-refused',
    rows: ['R258'],
    level: 'SHOULD',
    spec: '2025-06-18/basic/transports#sending-messages-to-the-server',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      expectStatus(await session.post([freshPing()]), 400, 'a batch')
    },
  }),
  requirement({
    id: '2025-06-18/invalid-version-is-400',
    rows: ['R259'],
    level: 'MUST',
    spec: '2025-06-18/basic/transports#protocol-version-header',
    needs: needsVersion,
    async check({ open }) {
      const session = await open({ version })
      expectEqual(session.version, version, 'the negotiated version')
      for (const named of ['garbage', '1999-01-01']) {
        const options = { headers: { 'MCP-Protocol-Version': named } }
        expectStatus(await session.post(freshPing(), options), 400, `a request of version ${named}`)
        expectStatus(await session.get(options), [400, 405], `a GET of version ${named}`)
      }
    },
  }),
]
