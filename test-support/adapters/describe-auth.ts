import { describe, expect, test } from 'vitest'
import type { EndpointOptions } from '../../packages/core/src/index.ts'
import { McpClient, ping } from '../client/mcp-client.ts'
import { type Reply, send } from '../client/reply.ts'
import { endpointWith } from '../endpoints.ts'
import type { Tool } from '../sdk-server.ts'
import type { Adapter } from './adapter.ts'
import { describePrincipals, expectNotFound, type Protected } from './describe-principals.ts'
import { bearer, whoami } from './tokens.ts'

/** A way in which an app itself verifies who sends. */
export interface Protection<M> {
  readonly name: string
  /** Refuses, or leaves what it verified where the adapter looks for it. */
  readonly before: readonly M[]
  /** How it refuses. */
  expectRefused(reply: Reply): Promise<void>
}

interface HalfProtected extends Protected {
  /** The same endpoint without the protection: a mistake in the app's routes. */
  readonly bareUrl: string
}

/** An app that verifies who sends hands that on, and each session belongs to who opened it. */
export function describeAuth<M>(adapter: Adapter<M>, protections: readonly Protection<M>[]): void {
  for (const { name, before, expectRefused } of protections) {
    describe(`${adapter.name} with ${name}`, () => {
      const start = async (
        tools: Record<string, Tool> = {},
        options: Partial<EndpointOptions> = {},
      ): Promise<HalfProtected> => {
        const endpoint = endpointWith({ whoami, ...tools }, options)
        const routes = [
          { path: '/mcp', before, mounted: endpoint },
          { path: '/bare', mounted: endpoint },
        ]
        const { origin } = await adapter.serve({ routes })
        return { url: `${origin}/mcp`, bareUrl: `${origin}/bare`, endpoint }
      }

      describePrincipals(start, expectRefused)

      test('answers 404 where the protection was forgotten: a session with an owner is nobody else’s', async () => {
        const { url, bareUrl } = await start()
        const client = await McpClient.open(url, bearer('alice.1'))
        await expectNotFound(bareUrl, client.headers)
        const { authorization: _authorization, ...anonymous } = client.headers
        await expectNotFound(bareUrl, anonymous)
        expect(await client.textOf('echo', { text: 'fine' })).toBe('fine')
      })

      test('does not give an anonymous session to a user who logs in later', async () => {
        const { url, bareUrl } = await start()
        const anonymous = await McpClient.open(bareUrl)
        const reply = await send(url, { headers: { ...anonymous.headers, ...bearer('alice.1') }, body: ping })
        expect(reply.status).toBe(404)
        expect((await anonymous.post(ping)).status).toBe(200)
      })
    })
  }
}
