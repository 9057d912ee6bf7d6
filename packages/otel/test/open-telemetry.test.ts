import {
  type Attributes,
  context,
  createTraceState,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  NodeTracerProvider,
  ParentBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace-node'
import { type EndpointOptions, type HttpReply, observe, sessionKey } from '@throughline/mcp-http-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSession, type TestClient } from '../../../test-support/in-process/test-client.ts'
import { TestCluster } from '../../../test-support/in-process/test-cluster.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestReader } from '../../../test-support/in-process/test-reader.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { type OpenTelemetryOptions, openTelemetry } from '../src/index.ts'
import { type StartedSdk, startSdk } from './start-sdk.ts'

const remote = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const traceparent = `00-${remote.traceId}-${remote.spanId}-01`

const handlers: Handlers = {
  'tools/call': async ({ params }) => {
    if (params.name === 'unknown') throw new Error('Unknown tool')
    await Promise.resolve()
    trace.getTracer('app').startSpan('work of the tool').end()
    const baggage = propagation.getActiveBaggage()?.getEntry('user')?.value
    const content = params.name === 'large' ? [{ type: 'text', text: 'x'.repeat(200_000) }] : []
    return { content, ...(params.name === 'broken' && { isError: true }), ...(baggage && { baggage }) }
  },
  'prompts/get': () => ({ messages: [] }),
  ask: ({ ask }) => ask('elicitation/create', { message: 'Who?' }).then(() => ({})),
  'resources/read': () => ({ contents: [] }),
  wait: () => new Promise(() => undefined),
  nothing: () => undefined,
}

interface Started {
  readonly sdk: StartedSdk
  readonly client: TestClient
  readonly stop: () => void
}

async function start(
  options: OpenTelemetryOptions = {},
  endpointOptions: Partial<EndpointOptions> = {},
  sampler?: Sampler,
): Promise<Started> {
  const sdk = startSdk(sampler)
  const { endpoint } = createTestEndpoint(handlers, endpointOptions)
  const stop = openTelemetry(endpoint, options)
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    stop()
  })
  return { sdk, client: await openSession(endpoint), stop }
}

describe('the span of a call', () => {
  test('has the name, kind and attributes of the conventions', async () => {
    const { sdk, client } = await start()
    await client.call('tools/call', { name: 'forecast', arguments: { city: 'secret' } }, 7, {
      clientAddress: '192.0.2.1',
    })
    const span = sdk.span('tools/call forecast')
    expect(span.kind).toBe(SpanKind.SERVER)
    expect(span.status).toEqual({ code: SpanStatusCode.UNSET })
    expect(span.attributes).toEqual({
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': '2025-11-25',
      'mcp.session.id': await sessionKey(client.sessionId),
      'jsonrpc.request.id': '7',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'forecast',
      'client.address': '192.0.2.1',
      'network.protocol.name': 'http',
      'network.transport': 'tcp',
    })
    expect(span.parentSpanContext).toBeUndefined()
    expect(span.links).toEqual([])
  })

  test('of prompts, resources and notifications has their targets, and no address of a resource in its name', async () => {
    const { sdk, client } = await start()
    await client.call('prompts/get', { name: 'greet' })
    await client.call('resources/read', { uri: 'file:///notes' })
    expect(sdk.span('prompts/get greet').attributes).toMatchObject({ 'gen_ai.prompt.name': 'greet' })
    expect(sdk.span('resources/read').attributes).toMatchObject({ 'mcp.resource.uri': 'file:///notes' })
    expect(sdk.span('notifications/initialized').attributes).not.toHaveProperty('jsonrpc.request.id')
    expect(sdk.span('initialize').attributes).toMatchObject({ 'mcp.session.id': await sessionKey(client.sessionId) })
  })

  test('tells an error of the protocol, of the tool, and that it was cancelled', async () => {
    const { sdk, client } = await start()
    await client.call('tools/call', { name: 'unknown' })
    await client.call('tools/call', { name: 'broken' })
    const waiting = client.call('wait', {}, 9)
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 9 } })
    await waiting
    const [unknown, broken, cancelled] = ['tools/call unknown', 'tools/call broken', 'wait'].map(sdk.span)
    expect(unknown?.attributes).toMatchObject({ 'error.type': '-32603', 'rpc.response.status_code': '-32603' })
    expect(unknown?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'Unknown tool' })
    expect(broken?.attributes).toMatchObject({ 'error.type': 'tool_error' })
    expect(broken?.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(cancelled?.attributes).toMatchObject({ 'error.type': 'cancelled' })
  })

  test('ends as an error where the handler gives no answer, as for its client', async () => {
    const { sdk, client } = await start()
    await client.call('nothing')
    const { attributes, status } = sdk.span('nothing')
    expect(attributes).toMatchObject({ 'error.type': '-32603', 'rpc.response.status_code': '-32603' })
    expect(status).toMatchObject({ code: SpanStatusCode.ERROR })
  })

  test('keeps no long text that a client makes up', async () => {
    const { sdk, client } = await start()
    const long = 'x'.repeat(100_000)
    await client.call('tools/call', { name: long })
    await client.call('resources/read', { uri: long })
    await client.call(long)
    const spans = sdk.spans().filter(({ name }) => name.includes('_OTHER') || name === 'resources/read')
    expect(spans).toHaveLength(3)
    for (const { name, attributes } of spans) expect(JSON.stringify([name, attributes]).length).toBeLessThan(2_000)
  })

  test('has arguments and result where that is asked for', async () => {
    const { sdk, client } = await start({ recordContents: true })
    await client.call('tools/call', { name: 'forecast', arguments: { city: 'Lisbon' } })
    expect(sdk.span('tools/call forecast').attributes).toMatchObject({
      'gen_ai.tool.call.arguments': '{"city":"Lisbon"}',
      'gen_ai.tool.call.result': '{"content":[]}',
    })
  })

  test('has of arguments and results what is asked for, and no more than a collector takes', async () => {
    const { sdk, client } = await start({ recordContents: true })
    await client.call('tools/call', { name: 'large', arguments: { city: 'x'.repeat(200_000) } })
    const { attributes } = sdk.span('tools/call large')
    expect(attributes['gen_ai.tool.call.arguments']).toBe(`{"city":"${'x'.repeat(65_536 - 9)}`)
    expect(attributes['gen_ai.tool.call.result']).toMatch(/^\{"content":\[\{"type":"text","text":"x+$/)
    expect(attributes['gen_ai.tool.call.result']).toHaveLength(65_536)
  })

  test('is not named by what clients make up without end', async () => {
    const { sdk, client } = await start()
    for (let i = 0; i < 300; i++) await client.call(`made-up/${i}`)
    expect(new Set(sdk.spans().map(({ name }) => name)).size).toBeLessThan(110)
    expect(sdk.spans().at(-1)?.attributes).toMatchObject({ 'mcp.method.name': 'made-up/299' })
  })
})

describe('the span of a question', () => {
  async function asked(): Promise<{ sdk: StartedSdk; client: TestClient; question: Record<string, unknown> }> {
    const { sdk, client } = await start({}, { response: 'sse' })
    const reader = await TestReader.open(await client.call('ask'))
    await reader.until(() => reader.messages.length > 0)
    return { sdk, client, question: reader.messages[0] as never }
  }

  test('is a child of the call that asks, and the parent of what the client does', async () => {
    const { sdk, client, question } = await asked()
    await client.post({ jsonrpc: '2.0', id: question.id, result: { action: 'decline' } } as never)
    await waitFor(() => sdk.spans().some(({ name }) => name === 'ask'))
    const span = sdk.span('elicitation/create')
    expect(span.kind).toBe(SpanKind.CLIENT)
    expect(span.parentSpanContext?.spanId).toBe(sdk.span('ask').spanContext().spanId)
    expect(span.attributes).toEqual({
      'mcp.method.name': 'elicitation/create',
      'mcp.protocol.version': '2025-11-25',
      'mcp.session.id': await sessionKey(client.sessionId),
      'jsonrpc.request.id': question.id,
      'network.protocol.name': 'http',
      'network.transport': 'tcp',
    })
    const { traceId, spanId } = span.spanContext()
    expect(question.params).toEqual({ message: 'Who?', _meta: { traceparent: `00-${traceId}-${spanId}-01` } })
  })

  test('has the error that the client answers with', async () => {
    const { sdk, client, question } = await asked()
    await client.post({ jsonrpc: '2.0', id: question.id, error: { code: -1, message: 'No' } } as never)
    const span = sdk.span('elicitation/create')
    expect(span.attributes).toMatchObject({ 'error.type': '-1', 'rpc.response.status_code': '-1' })
    expect(span.status.code).toBe(SpanStatusCode.ERROR)
  })
})

describe('the context of a call', () => {
  test('is its span, for all that the handler does', async () => {
    const { sdk, client } = await start()
    await client.call('tools/call', { name: 'forecast' })
    expect(sdk.span('work of the tool').parentSpanContext?.spanId).toBe(
      sdk.span('tools/call forecast').spanContext().spanId,
    )
  })

  test('has the span that the client names as its parent, its baggage, and the HTTP request as a link', async () => {
    const { sdk, client } = await start()
    const http = trace.getTracer('http').startSpan('POST /mcp')
    const _meta = { traceparent, baggage: 'user=alice' }
    const reply = await context.with(trace.setSpan(context.active(), http), () =>
      client.call('tools/call', { name: 'forecast', _meta }),
    )
    const span = sdk.span('tools/call forecast')
    expect(span.spanContext().traceId).toBe(remote.traceId)
    expect(span.parentSpanContext).toMatchObject({ ...remote, isRemote: true })
    expect(span.links.map((link) => link.context)).toEqual([http.spanContext()])
    expect(sdk.span('work of the tool').spanContext().traceId).toBe(remote.traceId)
    expect(reply.body).toContain('"baggage":"alice"')
  })

  test.each([
    ['names no span', undefined],
    ['has baggage alone', { baggage: 'user=alice' }],
    ['writes nonsense', { traceparent: { toString: 1 }, tracestate: 7 }],
    ['writes a span of zeros', { traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` }],
  ])('has the HTTP request as its parent where the client %s', async (_what, _meta) => {
    const { sdk, client } = await start({}, { sessions: false })
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await context.with(trace.setSpan(context.active(), http), () =>
      client.call('tools/call', { name: 'forecast', ...(_meta !== undefined && { _meta }) }),
    )
    const span = sdk.spans().find(({ name }) => name === 'tools/call forecast')
    expect(span?.parentSpanContext?.spanId).toBe(http.spanContext().spanId)
    expect(span?.links).toEqual([])
  })

  test('goes along with that of another subscriber', async () => {
    const { sdk, client } = await start()
    const order: string[] = []
    onTestFinished(
      observe(client.endpoint, {
        call: {
          start: (message) => {
            const { within = (work: () => void) => work() } = message
            message.within = (work) => {
              order.push('mine')
              within(work)
            }
          },
        },
      }),
    )
    await client.call('tools/call', { name: 'forecast' })
    expect(order).toEqual(['mine'])
    expect(sdk.span('work of the tool').parentSpanContext).toBeDefined()
  })
})

describe('a call that the sampler leaves out', () => {
  /** As in an app that traces HTTP: what it does not keep of a request, it keeps of nothing within. */
  async function startUnsampled(sampler: Sampler): Promise<Started & { readonly seen: Attributes[] }> {
    const seen: Attributes[] = []
    const spying: Sampler = {
      shouldSample: (...asked) => {
        seen.push({ ...asked[4], name: asked[2] })
        return sampler.shouldSample(...asked)
      },
      toString: () => 'spying',
    }
    return { ...(await start({}, {}, spying)), seen }
  }

  test('has no span, nor has what its handler does, whether the HTTP request is traced or not', async () => {
    const { sdk, client } = await startUnsampled(new ParentBasedSampler({ root: new AlwaysOffSampler() }))
    await client.call('tools/call', { name: 'forecast' })
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await context.with(trace.setSpan(context.active(), http), () => client.call('tools/call', { name: 'forecast' }))
    expect(sdk.spans()).toEqual([])
  })

  test('keeps the spans of its handler out of the trace that its HTTP request has', async () => {
    const dropsCalls: Sampler = {
      shouldSample: (_context, _traceId, _name, kind) => ({ decision: kind === SpanKind.SERVER ? 0 : 2 }),
      toString: () => 'drops calls',
    }
    const { sdk, client } = await startUnsampled(
      new ParentBasedSampler({ root: dropsCalls, localParentSampled: dropsCalls }),
    )
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await context.with(trace.setSpan(context.active(), http), () => client.call('tools/call', { name: 'forecast' }))
    http.end()
    expect(sdk.spans().map(({ name }) => name)).toEqual(['POST /mcp'])
  })

  test('keeps the trace and the baggage of the client, who has not sampled it', async () => {
    const { sdk, client } = await startUnsampled(new ParentBasedSampler({ root: new AlwaysOnSampler() }))
    const _meta = { traceparent: traceparent.replace(/01$/, '00'), baggage: 'user=alice' }
    const reply = await client.call('tools/call', { name: 'forecast', _meta })
    expect(sdk.spans().map(({ name }) => name)).not.toContain('work of the tool')
    expect(reply.body).toContain('"baggage":"alice"')
  })

  test('shows the sampler its method, its tool and its session, and is counted', async () => {
    const { sdk, client, seen } = await startUnsampled(new AlwaysOffSampler())
    for (let i = 0; i < 2; i++) await client.call('tools/call', { name: 'forecast' })
    const session = await sessionKey(client.sessionId)
    const shown = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'forecast', 'mcp.session.id': session }
    // After the first one it is known that there is such a tool.
    expect(seen.filter((each) => each['gen_ai.tool.name'])).toEqual([
      { ...shown, name: 'mcp' },
      { ...shown, name: 'tools/call forecast' },
    ])
    const points = await sdk.points('mcp.server.operation.duration')
    expect(points.find(({ attributes }) => attributes['gen_ai.tool.name'])).toMatchObject({ value: { count: 2 } })
  })
})

test('makes spans alone, metrics alone, or neither', async () => {
  const { sdk, client } = await start({ metrics: false })
  expect(sdk.spans()).not.toEqual([])
  expect(await sdk.metric('mcp.server.operation.duration')).toBeUndefined()
  const before = sdk.spans().length
  const { endpoint } = createTestEndpoint(handlers)
  onTestFinished(openTelemetry(endpoint, { spans: false }))
  onTestFinished(openTelemetry(client.endpoint, { spans: false, metrics: false }))
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const other = await openSession(endpoint)
  await other.call('tools/call', { name: 'forecast' })
  expect(sdk.spans().slice(before)).toMatchObject([{ name: 'work of the tool' }])
  expect(await sdk.points('mcp.server.operation.duration')).toHaveLength(3)
})

test('spans of replays, forwards and takeovers have names of ours, and the store’s spans in them', async () => {
  const sdk = startSdk()
  const cluster = new TestCluster(2, handlers, { response: 'sse' })
  const stop = openTelemetry(cluster.node(1).endpoint)
  onTestFinished(async () => {
    await cluster.close()
    stop()
  })
  const { sessions } = cluster.database
  const { takeOver } = sessions
  sessions.takeOver = (...given) => {
    trace.getTracer('store').startSpan('UPDATE sessions').end()
    return takeOver.apply(sessions, given)
  }
  const client = await cluster.open(0)
  const there = cluster.on(1, client)
  const reader = await TestReader.open(await there.call('ping'))
  await reader.until(() => reader.ended)
  cluster.kill(0)
  await there.get(reader.lastEventId)
  const session = { 'mcp.session.id': await sessionKey(client.sessionId) }
  const forwards = sdk.spans().filter(({ name }) => name === 'throughline.forward')
  expect(forwards.map(({ kind, attributes }) => [kind, attributes])).toMatchObject([
    [SpanKind.CLIENT, { ...session, 'http.request.method': 'POST', 'throughline.outcome': 'answered' }],
    [SpanKind.CLIENT, { ...session, 'http.request.method': 'GET', 'error.type': 'NodeGone' }],
  ])
  expect(sdk.span('throughline.replay').attributes).toEqual({ ...session, 'throughline.outcome': 'complete' })
  const takeover = sdk.span('throughline.takeover')
  expect(takeover.attributes).toMatchObject({ ...session, 'throughline.term': 2, 'throughline.outcome': 'taken' })
  expect(sdk.span('UPDATE sessions').parentSpanContext?.spanId).toBe(takeover.spanContext().spanId)
})

describe('what another node answers', () => {
  interface StartedCluster {
    readonly sdk: StartedSdk
    readonly cluster: TestCluster
    /** A client of a session of the first node, at the second. */
    readonly there: TestClient
  }

  async function startCluster(options: Partial<EndpointOptions> = {}, sampler?: Sampler): Promise<StartedCluster> {
    const sdk = startSdk(sampler)
    const cluster = new TestCluster(2, handlers, options)
    const stops = cluster.nodes.map(({ endpoint }) => openTelemetry(endpoint))
    onTestFinished(async () => {
      await cluster.close()
      for (const stop of stops) stop()
    })
    return { sdk, cluster, there: cluster.on(1, await cluster.open(0)) }
  }

  /** As over a bus: what comes by it runs in no context of who has sent it. */
  function loseContexts(cluster: TestCluster): void {
    const { bus } = cluster.database
    const { publish } = bus
    bus.publish = (...given) => context.with(ROOT_CONTEXT, () => publish.apply(bus, given))
  }

  /** Calls as where the HTTP instrumentation is on. */
  async function callWithin(http: Span, client: TestClient, params: Record<string, unknown>): Promise<HttpReply> {
    return await context.with(trace.setSpan(context.active(), http), () => client.call('tools/call', params))
  }

  test('is in the trace of the node that was asked', async () => {
    const { sdk, cluster, there } = await startCluster()
    loseContexts(cluster)
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await callWithin(http, there, { name: 'forecast' })
    const call = sdk.span('tools/call forecast')
    const forward = sdk.span('throughline.forward')
    expect(forward.parentSpanContext?.spanId).toBe(http.spanContext().spanId)
    expect(call.parentSpanContext).toMatchObject({ spanId: forward.spanContext().spanId, isRemote: true })
    expect(call.links).toEqual([])
    expect(sdk.span('work of the tool').spanContext().traceId).toBe(http.spanContext().traceId)
  })

  test('is in the trace of the client that names one, with that of the node as a link', async () => {
    const { sdk, cluster, there } = await startCluster()
    loseContexts(cluster)
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await callWithin(http, there, { name: 'forecast', _meta: { traceparent } })
    const call = sdk.span('tools/call forecast')
    expect(call.parentSpanContext).toMatchObject({ ...remote, isRemote: true })
    expect(call.links.map((link) => link.context.spanId)).toEqual([
      sdk.span('throughline.forward').spanContext().spanId,
    ])
  })

  test('keeps what the tracers of the client’s trace say of it', async () => {
    const { sdk, cluster, there } = await startCluster()
    loseContexts(cluster)
    const traceState = createTraceState('vendor=a,other=b')
    const parent = trace.setSpanContext(ROOT_CONTEXT, { ...remote, traceFlags: 1, traceState })
    await callWithin(trace.getTracer('http').startSpan('POST /mcp', {}, parent), there, { name: 'forecast' })
    const { traceId, traceState: kept } = sdk.span('tools/call forecast').spanContext()
    expect([traceId, kept?.serialize()]).toEqual([remote.traceId, 'vendor=a,other=b'])
  })

  test('is not recorded where that node has not sampled it', async () => {
    const { sdk, cluster, there } = await startCluster({}, new ParentBasedSampler({ root: new AlwaysOnSampler() }))
    loseContexts(cluster)
    const http = trace.wrapSpanContext({ ...remote, traceFlags: 0 })
    await callWithin(http, there, { name: 'forecast' })
    expect(sdk.spans().map(({ name }) => name)).toEqual(['initialize', 'notifications/initialized'])
  })

  test('is in a trace of its own where that node is not traced, or older', async () => {
    const { sdk, cluster, there } = await startCluster()
    loseContexts(cluster)
    const { bus } = cluster.database
    const { publish } = bus
    bus.publish = (channel, message) => publish.call(bus, channel, message.replace('traceContext', 'unknownMember'))
    const http = trace.getTracer('http').startSpan('POST /mcp')
    await callWithin(http, there, { name: 'forecast' })
    expect(sdk.span('tools/call forecast').parentSpanContext).toBeUndefined()
  })

  test('is in its trace as well when a client comes back there', async () => {
    const { sdk, cluster, there } = await startCluster({ response: 'sse' })
    loseContexts(cluster)
    const reader = await TestReader.open(await there.call('tools/call', { name: 'forecast' }))
    await reader.until(() => reader.ended)
    await there.get(reader.lastEventId)
    const forward = sdk.spans().find(({ attributes }) => attributes['http.request.method'] === 'GET')
    expect(sdk.span('throughline.replay').parentSpanContext?.spanId).toBe(forward?.spanContext().spanId)
  })

  test('is in its trace as well when the session has hibernated there', async () => {
    const { sdk, cluster, there } = await startCluster({ hibernateAfterMs: 50 })
    loseContexts(cluster)
    // From here on it is known where the session lives.
    await there.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await waitFor(() => cluster.node(0).endpoint.stats().sessions === 0)
    await callWithin(trace.getTracer('http').startSpan('POST /mcp'), there, { name: 'forecast' })
    // On a slow machine it has hibernated before that notification as well.
    const last = (of: string) => sdk.spans().findLast(({ name }) => name === of)
    const forward = last('throughline.forward')
    for (const name of ['throughline.takeover', 'tools/call forecast']) {
      expect(last(name)?.parentSpanContext?.spanId).toBe(forward?.spanContext().spanId)
    }
  })
})

describe('metrics', () => {
  test('are those of the conventions, in their buckets', async () => {
    const { sdk, client } = await start()
    await client.call('tools/call', { name: 'forecast' })
    await client.call('tools/call', { name: 'broken' })
    const metric = await sdk.metric('mcp.server.operation.duration')
    expect(metric?.descriptor).toMatchObject({ unit: 's', type: 'HISTOGRAM' })
    expect(metric?.dataPoints.map(({ attributes }) => attributes)).toEqual([
      expect.objectContaining({ 'mcp.method.name': 'initialize' }),
      expect.objectContaining({ 'mcp.method.name': 'notifications/initialized' }),
      {
        ...{ 'mcp.method.name': 'tools/call', 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'forecast' },
        ...{ 'mcp.protocol.version': '2025-11-25', 'network.protocol.name': 'http', 'network.transport': 'tcp' },
      },
      expect.objectContaining({ 'gen_ai.tool.name': 'broken', 'error.type': 'tool_error' }),
    ])
    expect(metric?.dataPoints.at(-1)?.value).toMatchObject({
      count: 1,
      buckets: { boundaries: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] },
    })
    await client.delete()
    expect(await sdk.points('mcp.server.session.duration')).toMatchObject([
      { attributes: { 'mcp.protocol.version': '2025-11-25' }, value: { count: 1 } },
    ])
  })

  test('keep calls by other versions of the protocol and of HTTP apart', async () => {
    const { sdk, client } = await start()
    const older = await openSession(client.endpoint, { version: '2025-06-18' })
    for (const httpVersion of ['1.1', '2.0', '1.1']) {
      for (const each of [client, older]) {
        await each.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { httpVersion })
      }
    }
    const points = (await sdk.points('mcp.server.operation.duration')).filter(
      ({ attributes }) => attributes['mcp.method.name'] === 'ping',
    )
    const told = points.map(({ attributes, value }) => [
      ...[attributes['mcp.protocol.version'], attributes['network.protocol.version']],
      (value as { count: number }).count,
    ])
    expect(told).toEqual([
      ['2025-11-25', '1.1', 2],
      ['2025-06-18', '1.1', 2],
      // As the conventions write it.
      ['2025-11-25', '2', 1],
      ['2025-06-18', '2', 1],
    ])
  })

  test('tell what all endpoints of the process hold together, and of each until it is stopped', async () => {
    const { sdk, client, stop } = await start()
    await openSession(client.endpoint)
    const { endpoint } = createTestEndpoint(handlers)
    onTestFinished(openTelemetry(endpoint))
    onTestFinished(() => endpoint.close({ drainMs: 0 }))
    await openSession(endpoint)
    expect(await sdk.points('throughline.sessions')).toMatchObject([{ value: 3 }])
    stop()
    expect(await sdk.points('throughline.sessions')).toMatchObject([{ value: 1 }])
  })

  test('are not harmed by what is no endpoint', async () => {
    const { sdk } = await start()
    expect(() => openTelemetry({} as never, { spans: false })).toThrow('Expected an endpoint')
    expect(await sdk.points('throughline.sessions')).toMatchObject([{ value: 1 }])
  })

  test('tell what the endpoint holds and refuses, and no more once it is stopped', async () => {
    const { sdk, client, stop } = await start()
    await client.post('{')
    expect(await sdk.points('throughline.sessions')).toMatchObject([{ value: 1 }])
    expect(await sdk.points('throughline.undelivered')).toMatchObject([{ value: 0 }])
    expect(await sdk.points('throughline.refusals')).toMatchObject([
      { value: 1, attributes: { 'throughline.refusal.code': 'parse_error' } },
    ])
    stop()
    await client.post('{')
    await client.call('ping')
    expect(await sdk.points('throughline.refusals')).toMatchObject([{ value: 1 }])
    expect(sdk.spans().map(({ name }) => name)).not.toContain('ping')
  })
})

test('uses the provider that it is given', async () => {
  const { sdk } = await start()
  const ended: string[] = []
  const processor = {
    onStart: () => undefined,
    onEnd: ({ name }: { name: string }) => void ended.push(name),
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  }
  const tracerProvider = new NodeTracerProvider({ spanProcessors: [processor] })
  const { endpoint } = createTestEndpoint()
  onTestFinished(openTelemetry(endpoint, { tracerProvider }))
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const before = sdk.spans().length
  await openSession(endpoint)
  expect(ended).toEqual(['initialize', 'notifications/initialized'])
  expect(sdk.spans()).toHaveLength(before)
})

test('a call costs nothing but a span that is not recorded where no SDK is registered', async () => {
  const { endpoint } = createTestEndpoint(handlers)
  onTestFinished(openTelemetry(endpoint))
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const client = await openSession(endpoint)
  expect((await client.call('tools/call', { name: 'forecast', _meta: { traceparent } })).status).toBe(200)
})

test.each([
  [{ recordContents: 'yes' }, 'Expected recordContents to be true or false, got "yes" (string)'],
  [{ spans: 1 }, 'Expected spans to be true or false, got 1 (number)'],
  [{ metrics: 'no' }, 'Expected metrics to be true or false, got "no" (string)'],
  [{ tracerProvider: {} }, 'Expected tracerProvider to have a method getTracer, got {} (object)'],
  [{ tracer: 1 }, 'Unknown option: tracer (known are tracerProvider, meterProvider, spans, metrics, recordContents)'],
])('refuses %j', (options, message) => {
  const { endpoint } = createTestEndpoint()
  expect(() => openTelemetry(endpoint, options as OpenTelemetryOptions)).toThrow(new TypeError(message))
})
