import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openSession, TestClient } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { type Endpoint, type LogEntry, logCalls, sessionKey } from '../src/index.ts'

const handlers: Handlers = {
  'tools/call': ({ params }) => ({ content: [], ...(params.name === 'broken' && { isError: true }) }),
}

function start(): Endpoint {
  const { endpoint } = createTestEndpoint(handlers)
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return endpoint
}

function logged(endpoint: Endpoint): LogEntry[] {
  const entries: LogEntry[] = []
  onTestFinished(logCalls(endpoint, (entry) => entries.push(entry)))
  return entries
}

describe('logCalls', () => {
  test('gives an entry for each call and each refusal, none for notifications', async () => {
    const endpoint = start()
    const entries = logged(endpoint)
    const client = await openSession(endpoint)
    await client.call('tools/call', { name: 'forecast' }, 2, { clientAddress: '192.0.2.1' })
    await client.call('tools/call', { name: 'broken' }, 'three')
    await client.call('nothing', {}, 4)
    await client.post('{', { clientAddress: '192.0.2.1', headers: { origin: 'http://localhost:3000' } })
    expect(entries.map(({ level, text }) => [level, text.replace(/ in [\d.]+ ms/, '')])).toEqual([
      ['info', 'MCP initialize: result'],
      ['info', 'MCP tools/call forecast: result'],
      ['warn', 'MCP tools/call broken: tool_error'],
      ['warn', 'MCP nothing: -32603'],
      ['warn', 'MCP POST /mcp: refused with 400 parse_error from 192.0.2.1'],
    ])
    const key = await sessionKey(client.sessionId)
    expect(entries[1]?.fields).toEqual({
      ...{ event: 'mcp.call', method: 'tools/call', target: 'forecast', requestId: 2, outcome: 'result' },
      ...{ durationMs: expect.any(Number), sessionKey: key, clientAddress: '192.0.2.1' },
    })
    expect(entries[4]?.fields).toEqual({
      ...{ event: 'mcp.refusal', code: 'parse_error', status: 400, httpMethod: 'POST', path: '/mcp' },
      ...{ host: 'localhost:3000', origin: 'http://localhost:3000', clientAddress: '192.0.2.1' },
    })
  })

  test('holds no argument, result, token or session id', async () => {
    const endpoint = start()
    const entries = logged(endpoint)
    const auth = { token: 'secret-token', clientId: 'c', scopes: [], extra: { iss: 'i', sub: 'alice' } }
    const client = await openSession(endpoint, { auth })
    await client.call('tools/call', { name: 'forecast', arguments: { password: 'secret-argument' } })
    await new TestClient(endpoint).get('secret-event')
    expect(entries).toHaveLength(3)
    expect(JSON.stringify(entries)).not.toMatch(new RegExp(`secret|${client.sessionId}`))
  })

  test('writes one short line, whatever a client sends', async () => {
    const endpoint = start()
    const entries = logged(endpoint)
    const client = await openSession(endpoint)
    await client.call('tools/call', { name: `a\nMCP tools/call b: result\u2028\u001b[2J${'x'.repeat(10_000)}` })
    expect(entries[1]?.text).not.toMatch(/[\p{Cc}\u2028]/u)
    expect(entries[1]?.text.length).toBeLessThan(300)
  })

  test('writes fields and text to pino', async () => {
    const lines: string[] = []
    const endpoint = start()
    onTestFinished(logCalls(endpoint, pino({ base: null }, { write: (line) => void lines.push(line) })))
    const client = await openSession(endpoint)
    await client.call('tools/call', { name: 'broken' }, 2)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 30, event: 'mcp.call', method: 'initialize', msg: expect.stringMatching(/^MCP initialize: result in /) },
      { level: 40, event: 'mcp.call', target: 'broken', errorType: 'tool_error' },
    ])
  })

  test('tells `onError` of a logger whose promise rejects', async () => {
    const { endpoint, errors } = createTestEndpoint(handlers)
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    const away = new Error('the log is away')
    onTestFinished(logCalls(endpoint, () => Promise.reject(away)))
    await openSession(endpoint)
    await new TestClient(endpoint).post('{')
    expect(errors).toEqual([away, away])
  })

  test('writes text to the console, where nothing else is given', async () => {
    const endpoint = start()
    const info = vi.spyOn(console, 'info').mockImplementation(() => undefined)
    onTestFinished(() => info.mockRestore())
    const stop = logCalls(endpoint)
    const client = await openSession(endpoint)
    stop()
    await client.call('tools/call', { name: 'forecast' })
    expect(info.mock.calls).toEqual([[expect.stringMatching(/^MCP initialize: result in [\d.]+ ms$/)]])
  })

  test.each([5, null, {}, { info: () => undefined }])('refuses what is no logger: %o', (logger) => {
    expect(() => logCalls(start(), logger as never)).toThrow(
      /^Expected the logger of logCalls, where it is no function, to have a method (info|warn), got /,
    )
  })
})
