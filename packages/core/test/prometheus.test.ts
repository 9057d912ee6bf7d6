import { readFile } from 'node:fs/promises'
import * as promClient from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { TestCluster } from '../../../test-support/in-process/test-cluster.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { type Endpoint, prometheusMetrics } from '../src/index.ts'

const known = new Set(['forecast', 'broken', 'late'])
const handlers: Handlers = {
  'tools/call': ({ params }) => {
    if (!known.has(String(params.name))) throw new Error('Unknown tool')
    return { content: [], ...(params.name === 'broken' && { isError: true }) }
  },
  ask: ({ ask, params }) => ask(String(params.what)).then(() => ({})),
  lose: ({ notify }) => notify('notifications/progress', { progress: 1 }).then(() => ({})),
}

function start(options = {}): Endpoint {
  const { endpoint } = createTestEndpoint(handlers, options)
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return endpoint
}

function registered(endpoint: Endpoint): promClient.Registry {
  const register = new promClient.Registry()
  onTestFinished(prometheusMetrics(endpoint, promClient, register))
  return register
}

async function linesOf(register: promClient.Registry, prefix: string): Promise<string[]> {
  return (await register.metrics()).split('\n').filter((line) => line.startsWith(prefix))
}

describe('prometheusMetrics', () => {
  test('counts calls by method, tool and error, in the buckets of the conventions', async () => {
    const endpoint = start()
    const register = registered(endpoint)
    const client = await openSession(endpoint)
    for (const name of ['forecast', 'forecast', 'broken']) await client.call('tools/call', { name })
    const counts = await linesOf(register, 'mcp_server_operation_duration_seconds_count')
    const common = 'mcp_protocol_version="2025-11-25",network_protocol_name="http",network_transport="tcp"'
    expect(counts).toEqual([
      expect.stringContaining('mcp_method_name="initialize"'),
      expect.stringContaining('mcp_method_name="notifications/initialized"'),
      `mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",${common},gen_ai_operation_name="execute_tool",gen_ai_tool_name="forecast"} 2`,
      `mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",${common},gen_ai_operation_name="execute_tool",gen_ai_tool_name="broken",error_type="tool_error"} 1`,
    ])
    const bounds = (await linesOf(register, 'mcp_server_operation_duration_seconds_bucket'))
      .filter((line) => line.includes('"forecast"'))
      .map((line) => /le="([^"]+)"/.exec(line)?.[1])
    expect(bounds).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, '+Inf'].map(String))
  })

  test('counts questions by method and by what came of them, with a bound for the codes of clients', async () => {
    const endpoint = start({ response: 'sse' })
    const register = registered(endpoint)
    const client = await openSession(endpoint)
    for (let code = 0; code < 150; code++) {
      const reader = await TestReader.open(await client.call('ask', { what: 'roots/list' }))
      await reader.until(() => reader.messages.length > 0)
      const [{ id } = {}] = reader.messages
      const answer = code === 0 ? { result: { roots: [] } } : { error: { code, message: 'No' } }
      await client.post({ jsonrpc: '2.0', id, ...answer } as never)
    }
    const counts = await linesOf(register, 'mcp_client_operation_duration_seconds_count')
    const common = 'mcp_protocol_version="2025-11-25",network_protocol_name="http",network_transport="tcp"'
    const name = 'mcp_client_operation_duration_seconds_count{mcp_method_name="roots/list"'
    expect(counts).toHaveLength(102)
    expect(counts[0]).toBe(`${name},${common}} 1`)
    expect(counts[1]).toBe(`${name},${common},error_type="1",rpc_response_status_code="1"} 1`)
    expect(counts.at(-1)).toBe(`${name},${common},error_type="_OTHER",rpc_response_status_code="_OTHER"} 49`)
  })

  test('has a bound for the names that clients make up, and still counts a tool that works', async () => {
    const endpoint = start()
    const register = registered(endpoint)
    const client = await openSession(endpoint)
    await client.call('tools/call', { name: 'forecast' })
    for (let i = 0; i < 300; i++) await client.call('tools/call', { name: `made-up-${i}` })
    for (let i = 0; i < 300; i++) await client.call(`made-up/${i}`)
    await client.call('tools/call', { name: 'late' })
    const counts = await linesOf(register, 'mcp_server_operation_duration_seconds_count')
    expect(counts.length).toBeLessThan(210)
    expect(counts.filter((line) => line.includes('gen_ai_tool_name="_OTHER"'))).toEqual([
      expect.stringMatching(/ 200$/),
    ])
    expect(counts.filter((line) => line.includes('mcp_method_name="_OTHER"'))).toEqual([expect.stringMatching(/ 200$/)])
    expect(counts.filter((line) => line.includes('"late"'))).toEqual([expect.stringMatching(/ 1$/)])
  })

  test('counts nothing by itself that no answer proves: notifications, and calls that are cancelled', async () => {
    const { endpoint } = createTestEndpoint({ 'tools/call': () => new Promise(() => undefined) })
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    const register = registered(endpoint)
    const client = await openSession(endpoint, { initialized: false })
    for (let i = 0; i < 300; i++) {
      await client.post({ jsonrpc: '2.0', method: `made-up/${i}` })
      const calling = client.call('tools/call', { name: `made-up-${i}` })
      await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
      await calling
    }
    await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    const counts = await linesOf(register, 'mcp_server_operation_duration_seconds_count')
    expect(counts.length).toBeLessThan(210)
    for (const name of ['gen_ai_tool_name="_OTHER"', 'mcp_method_name="_OTHER"']) {
      expect(counts.filter((line) => line.includes(name))).toEqual([expect.stringMatching(/ 20[01]$/)])
    }
    for (const name of ['notifications/initialized', 'notifications/cancelled']) {
      expect(counts.some((line) => line.includes(`"${name}"`))).toBe(true)
    }
  })

  test('reads what the endpoint holds when it is asked', async () => {
    const endpoint = start({ response: 'json' })
    const register = registered(endpoint)
    const client = await openSession(endpoint)
    await client.call('lose')
    expect(await linesOf(register, 'throughline_sessions')).toEqual(['throughline_sessions 1'])
    expect(await linesOf(register, 'throughline_undelivered')).toEqual(['throughline_undelivered_total 1'])
    expect(await linesOf(register, 'throughline_log_size')).toEqual(['throughline_log_size_bytes 0'])
    await client.delete()
    expect(await linesOf(register, 'throughline_sessions')).toEqual(['throughline_sessions 0'])
    expect(await linesOf(register, 'throughline_undelivered')).toEqual(['throughline_undelivered_total 1'])
    expect(await linesOf(register, 'mcp_server_session_duration_seconds_count')).toEqual([
      expect.stringMatching(/mcp_protocol_version="2025-11-25".* 1$/),
    ])
  })

  test('counts refusals, replays, forwards and takeovers', async () => {
    const cluster = new TestCluster(2, handlers, { response: 'sse' })
    onTestFinished(() => cluster.close())
    const register = registered(cluster.node(1).endpoint)
    const client = await cluster.open(0)
    const there = cluster.on(1, client)
    const reader = await TestReader.open(await there.call('ping'))
    await reader.until(() => reader.ended)
    await there.post('{')
    cluster.kill(0)
    await there.get(reader.events[0]?.id)
    const counts = await linesOf(register, 'throughline_')
    expect(counts).toEqual(
      expect.arrayContaining([
        'throughline_refusals_total{throughline_refusal_code="parse_error"} 1',
        'throughline_replays_total{throughline_outcome="complete"} 1',
        'throughline_takeovers_total{throughline_outcome="taken"} 1',
        'throughline_forward_duration_seconds_count{throughline_outcome="answered"} 1',
        'throughline_forward_duration_seconds_count{throughline_outcome="failed"} 1',
      ]),
    )
  })

  test('uses the module’s own registry, and leaves nothing there when it stops', async () => {
    const stop = prometheusMetrics(start(), promClient)
    expect(await linesOf(promClient.register, 'throughline_sessions')).toEqual(['throughline_sessions 0'])
    stop()
    expect((await promClient.register.metrics()).trim()).toBe('')
  })

  test.each<[unknown[], string]>([
    [
      [promClient.register],
      'Expected the second argument of prometheusMetrics, the module prom-client, to have a method',
    ],
    [
      [{}],
      'Expected the second argument of prometheusMetrics, the module prom-client, to have a method Histogram, got {}',
    ],
    [
      [undefined],
      'Expected the second argument of prometheusMetrics, the module prom-client, to have a method Histogram',
    ],
    [[promClient, {}], 'Expected the third argument of prometheusMetrics, a registry of prom-client, to have a method'],
  ])('says what it was to be given: %#', (given, message) => {
    expect(() => prometheusMetrics(start(), ...(given as [never, never]))).toThrow(message)
  })

  test('says what to do about a second endpoint in one registry, which goes on with the first', async () => {
    const register = registered(start())
    const before = await register.metrics()
    const say = 'is in the registry already: give each endpoint one of its own, as third argument'
    expect(() => prometheusMetrics(start(), promClient, register)).toThrow(say)
    expect(await register.metrics()).toBe(before)
  })

  test.each<[string, (register: promClient.Registry) => void]>([
    ['no endpoint is given', (register) => prometheusMetrics({} as Endpoint, promClient, register)],
    [
      'a name is taken',
      (register) => {
        const taken = new promClient.Gauge({ name: 'throughline_calls', help: '-', registers: [register] })
        try {
          prometheusMetrics(start(), promClient, register)
        } finally {
          register.removeSingleMetric('throughline_calls')
          taken.reset()
        }
      },
    ],
  ])('leaves nothing in the registry where it throws since %s', async (_why, fail) => {
    const register = new promClient.Registry()
    expect(() => fail(register)).toThrow()
    expect((await register.metrics()).trim()).toBe('')
  })

  test('that ends twice leaves the metrics of who came after it', async () => {
    const register = new promClient.Registry()
    const stop = prometheusMetrics(start(), promClient, register)
    stop()
    onTestFinished(prometheusMetrics(start(), promClient, register))
    const after = await register.metrics()
    stop()
    expect(await register.metrics()).toBe(after)
  })
})

test('the dashboard in the docs asks for metrics and labels that there are', async () => {
  const register = registered(start())
  const known = await register.getMetricsAsJSON()
  const dashboard = await readFile(new URL('../../../docs/grafana-dashboard.json', import.meta.url), 'utf8')
  const { panels } = JSON.parse(dashboard) as { panels: { targets?: { expr: string; legendFormat: string }[] }[] }
  const targets = panels.flatMap((panel) => panel.targets ?? [])
  const asked = targets.flatMap(({ expr }) => expr.match(/\b(?:mcp_server|throughline)_[\w()?]+(?=[{"])/g) ?? [])
  const names = known.flatMap(({ name }) => [name, `${name}_count`, `${name}_bucket`, `${name}_sum`])
  // The exporter of OpenTelemetry for JavaScript says no units.
  const without = names.map((name) => name.replace(/_(seconds|bytes)/, ''))
  const isIn = (all: readonly string[]) => (name: string) => all.some((each) => new RegExp(`^(?:${name})$`).test(each))
  expect(asked.length).toBeGreaterThan(20)
  expect(asked.filter((name) => !isIn(names)(name))).toEqual([])
  expect(asked.filter((name) => !isIn(without)(name))).toEqual([])
  const shown = targets.flatMap(({ legendFormat }) => legendFormat.match(/(?<=\{\{)\w+/g) ?? [])
  const labels = [...operationLabels, 'throughline_refusal_code', 'throughline_outcome', 'instance']
  expect(shown.filter((label) => !labels.includes(label))).toEqual([])
})

const operationLabels = ['mcp_method_name', 'gen_ai_tool_name', 'error_type']
