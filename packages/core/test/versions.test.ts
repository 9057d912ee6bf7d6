import { describe, expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'

const naming = (version: string) => ({ headers: { 'mcp-protocol-version': version } })
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams('2025-06-18') }

describe.each([true, false])('with sessions: %s', (sessions) => {
  const start = () => new TestClient(createTestEndpoint({}, { sessions }).endpoint)

  test.each(['2026-07-28', '2099-01-01', 'garbage', '2025-11-25, 2025-11-25'])(
    'initialize is negotiated by its body when its header says %s',
    async (version) => {
      const reply = await start().post(initialize, naming(version))
      expect(reply.status).toBe(200)
      expect(toJson(reply).result).toMatchObject({ protocolVersion: '2025-06-18' })
    },
  )

  test('nothing else of an unknown version is served, and it is told which are', async () => {
    const bodies = [ping, { jsonrpc: '2.0', id: 7, method: 'server/discover' }, initialized]
    for (const body of bodies) {
      const reply = await start().post(body, naming('2026-07-28'))
      expect(reply.status).toBe(400)
      expect(toJson(reply).error).toEqual({
        code: -32000,
        message: 'Unsupported MCP-Protocol-Version: supported are 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05',
      })
    }
    expect((await start().post([initialize], naming('2026-07-28'))).status).toBe(400)
  })
})

// -32022 makes @ai-sdk/mcp 2 give up instead of falling back to initialize.
test.each([
  ['with the header of its revision', naming('2026-07-28')],
  ['without a header', {}],
])('server/discover is refused with -32000 where there are only sessions: %s', async (_what, options) => {
  const { endpoint } = createTestEndpoint()
  const discover = {
    jsonrpc: '2.0',
    id: 7,
    method: 'server/discover',
    params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } },
  }
  const reply = await new TestClient(endpoint).post(discover, options)
  expect(reply.status).toBe(400)
  expect(toJson(reply)).toMatchObject({ id: 7, error: { code: -32000 } })
  expect(endpoint.stats().sessions).toBe(0)
})

test('in a session an unknown version is refused before the body is read', async () => {
  const client = await openSession(createTestEndpoint().endpoint)
  const request = client.request('POST', { body: ping, ...naming('2099-01-01') })
  expect((await client.endpoint.handle(request)).status).toBe(400)
  expect(request.bodyRead).toBe(false)
  for (const method of ['GET', 'DELETE']) {
    expect((await client.endpoint.handle(client.request(method, naming('2099-01-01')))).status).toBe(400)
  }
  expect((await client.call('ping')).status).toBe(200)
})

test('an empty version header counts as absent', async () => {
  const client = await openSession(createTestEndpoint().endpoint)
  expect((await client.post(ping, naming(''))).status).toBe(200)
})

test('clients of 2024-11-05 get their version, and are served by the rules of 2025-03-26', async () => {
  const { endpoint } = createTestEndpoint()
  const client = new TestClient(endpoint)
  const opened = await client.call('initialize', toInitializeParams('2024-11-05'))
  expect(toJson(opened).result).toMatchObject({ protocolVersion: '2024-11-05' })
  client.sessionId = opened.headers['mcp-session-id'] as string
  await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  expect((await client.post([ping, { ...ping, id: 2 }])).status).toBe(200)
  // Its clients know no event without data.
  expect((await client.read()).text).not.toMatch(/^id: .*\ndata: \n/m)
})
