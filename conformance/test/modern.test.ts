import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { probeTarget } from '../src/client/find-target.ts'
import type { Target } from '../src/client/target.ts'
import { createModernFixture } from '../src/fixture/modern.ts'
import { requirements } from '../src/requirements/index.ts'
import { checkRequirement } from '../src/runner.ts'

// None of these servers asks for a token: authorization.test.ts has those that do.
const checks = requirements.filter(({ era, needs, slow, alone }) => {
  return era === 'modern' && !needs.includes('auth') && !slow && !alone
})

interface Running {
  readonly url: string
  close(): Promise<void>
}

/** `createMcpHandler` of the official SDK 2.x on `node:http`, with nothing in front. */
async function startSdk(legacy: 'stateless' | 'reject'): Promise<Running> {
  const fixture = createModernFixture({ completions: false })
  const handler = createMcpHandler(() => fixture.createServer(), { bus: fixture.bus, legacy })
  const server = createServer(toNodeHandler(handler) as RequestListener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      await handler.close()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

// The SDK leaves the Origin to middleware that its users put in front, and the bare handler has none. In bytes beyond ASCII
// it sees the letters that Node reads in them.
const missedBySdk = [
  'modern/foreign-origin-is-403',
  'modern/null-and-look-alike-origins-are-403',
  'modern/name-beyond-ascii-is-refused',
  'modern/param-beyond-ascii-is-refused',
]

const notOfOneEra = ['modern/both-eras-are-served', 'modern/legacy-session-id-changes-nothing']

// A server that speaks 2025-03-26 too may read a request without a version as one of that revision.
const notOfBothEras = [
  'modern-only/version-header-is-required',
  'modern-only/get-and-delete-are-405',
  'modern-only/405-lists-post',
  'modern-only/initialize-error-names-versions',
]

const servers = [
  {
    name: 'the reference server',
    start: () => startReferenceServer(),
    missed: [],
    untestable: notOfBothEras,
  },
  {
    name: 'the reference server of 2026-07-28 alone',
    start: () => startReferenceServer({ modernOnly: true }),
    missed: [],
    untestable: notOfOneEra,
  },
  {
    name: 'the SDK for both eras',
    start: () => startSdk('stateless'),
    missed: missedBySdk,
    // It serves earlier revisions without sessions.
    untestable: [...notOfBothEras, 'modern/legacy-session-id-changes-nothing'],
  },
  {
    name: 'the SDK for 2026-07-28 alone',
    start: () => startSdk('reject'),
    missed: missedBySdk,
    untestable: notOfOneEra,
  },
]

const verbs = { pass: 'meets', unmet: 'does not meet', 'not-testable': 'cannot show' } as const

for (const { name, start, missed, untestable } of servers) {
  describe(name, () => {
    let server: Running
    let target: Target

    beforeAll(async () => {
      server = await start()
      target = await probeTarget(new URL(server.url))
    })

    afterAll(() => server.close())

    for (const requirement of checks) {
      const { id } = requirement
      const expected = untestable.includes(id) ? 'not-testable' : missed.includes(id) ? 'unmet' : 'pass'
      test.concurrent(`${verbs[expected]} ${id}`, async () => {
        const { verdict, message } = await checkRequirement(requirement, target)
        const isUnmet = verdict !== 'pass' && verdict !== 'not-testable'
        expect(isUnmet ? 'unmet' : verdict, message).toBe(expected)
      })
    }
  })
}
