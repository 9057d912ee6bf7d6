import { describe, expect, test } from 'vitest'
import { createBearerAuth, type EndpointOptions } from '../../packages/core/src/index.ts'
import { initializeMessage } from '../client/mcp-client.ts'
import { send } from '../client/reply.ts'
import { endpointWith } from '../endpoints.ts'
import type { Tool } from '../sdk-server.ts'
import type { Adapter, AppServer } from './adapter.ts'
import { describePrincipals, type Protected } from './describe-principals.ts'
import { bearer, verify, whoami } from './tokens.ts'

const resource = 'https://mcp.example.com/mcp'
const metadataPath = '/.well-known/oauth-protected-resource/mcp'
const metadataUrl = `https://mcp.example.com${metadataPath}`

interface WithMetadata extends AppServer, Protected {
  readonly metadataUrl: string
}

/** The endpoint verifies who sends by itself, and the metadata that a 401 names is mounted the same way. */
export function describeBearerAuth<M>(adapter: Adapter<M>): void {
  const start = async (
    tools: Record<string, Tool> = {},
    options: Partial<EndpointOptions> = {},
  ): Promise<WithMetadata> => {
    const authorizationServers = ['https://id.example.com']
    const auth = createBearerAuth({ verify, resource, authorizationServers, requiredScopes: ['mcp'] })
    const endpoint = endpointWith({ whoami, ...tools }, { auth, ...options })
    const routes = [
      { path: '/mcp', mounted: endpoint },
      { path: auth.metadataPath, mounted: auth.metadata },
    ]
    const served = await adapter.serve({ routes })
    return { ...served, url: `${served.origin}/mcp`, metadataUrl: served.origin + metadataPath, endpoint }
  }

  describe(`${adapter.name} with createBearerAuth`, () => {
    describePrincipals(start, async (reply) => {
      expect(reply.status).toBe(401)
      expect(reply.headers['www-authenticate']).toContain(`Bearer resource_metadata="${metadataUrl}"`)
      await reply.text()
    })

    test('refuses with a challenge that leads to the metadata, and names the scope that is missing', async () => {
      const { url, errors } = await start()
      const refused = await send(url, { body: initializeMessage })
      expect(refused.status).toBe(401)
      expect(refused.headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadataUrl}", scope="mcp"`)
      expect(await refused.json()).toMatchObject({ jsonrpc: '2.0', error: { code: expect.any(Number) } })
      const limited = await send(url, { headers: bearer('limited.1'), body: initializeMessage })
      expect(limited.status).toBe(403)
      expect(limited.headers['www-authenticate']).toContain('scope="mcp"')
      expect(errors).toEqual([])
    })

    test('serves the metadata', async () => {
      const { metadataUrl: url, errors } = await start()
      const found = await send(url, { method: 'GET' })
      expect(found.status).toBe(200)
      expect(found.headers).toMatchObject({ 'content-type': adapter.jsonType, 'access-control-allow-origin': '*' })
      expect(await found.json()).toMatchObject({ resource, authorization_servers: ['https://id.example.com'] })

      const head = await send(url, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
      const length = adapter.givesLengthToHead ? found.headers['content-length'] : undefined
      expect(head.headers['content-length']).toBe(length)

      // What the browser asks before a page's client sends a header of its own.
      const asked = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'mcp-protocol-version' }
      const headers = { origin: 'https://app.example.com', ...asked }
      const preflight = await send(url, { method: 'OPTIONS', headers })
      expect([preflight.status, await preflight.text()]).toEqual([204, ''])
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-allow-headers': '*',
      })

      const posted = await send(url, { body: {} })
      expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
      expect([posted.headers['content-length'], await posted.text()]).toEqual(['0', ''])
      expect(errors).toEqual([])
    })
  })
}
