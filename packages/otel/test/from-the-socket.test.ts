import { createRequire } from 'node:module'
import { trace } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import { createEndpoint, type EndpointOptions } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { redisBackplane } from '@throughline/mcp-http-redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { listen } from '../../../test-support/listen.ts'
import { type RedisServer, skipsRedis, startRedis } from '../../../test-support/redis/start-redis.ts'
import { serverWith } from '../../../test-support/sdk-server.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { openTelemetry } from '../src/index.ts'
import { type StartedSdk, startSdk } from './start-sdk.ts'

const require = createRequire(import.meta.url)
const instrumentations = [
  new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true }),
  new IORedisInstrumentation({ requireParentSpan: false }),
]
// They patch what is required after they were made. `node:http` is the same object to `import`.
require('node:http')
const { Redis } = require('ioredis') as typeof import('ioredis')

afterAll(() => {
  for (const instrumentation of instrumentations) instrumentation.disable()
})

const remote = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const _meta = { traceparent: `00-${remote.traceId}-${remote.spanId}-01` }

const server = serverWith({
  work: async () => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    trace.getTracer('app').startSpan('work of the tool').end()
  },
})

async function start(options: Partial<EndpointOptions> = {}): Promise<{ sdk: StartedSdk; client: McpClient }> {
  const sdk = startSdk()
  for (const instrumentation of instrumentations) instrumentation.setTracerProvider(trace.getTracerProvider())
  const endpoint = createEndpoint({ server, ...options })
  const stop = openTelemetry(endpoint)
  const { origin } = await listen(toNodeHandler(endpoint))
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    stop()
  })
  return { sdk, client: await McpClient.open(`${origin}/mcp`) }
}

async function callWork(client: McpClient, meta?: object): Promise<void> {
  const reply = await client.post({
    ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
    params: { name: 'work', ...(meta && { _meta: meta }) },
  })
  await reply.answer()
}

/** The span of the HTTP request that is the parent or the link of this one. */
async function httpOf(sdk: StartedSdk, spanId: string | undefined): Promise<ReadableSpan> {
  const find = (): ReadableSpan | undefined => sdk.spans().find((span) => span.spanContext().spanId === spanId)
  await waitFor(() => find() !== undefined)
  return find() as ReadableSpan
}

test('a trace goes from the HTTP request to the tool', async () => {
  const { sdk, client } = await start()
  await callWork(client)
  const call = sdk.span('tools/call work')
  const http = await httpOf(sdk, call.parentSpanContext?.spanId)
  expect(http.name).toBe('POST')
  expect(sdk.span('work of the tool').parentSpanContext?.spanId).toBe(call.spanContext().spanId)
  expect(call.attributes).toMatchObject({
    ...{ 'network.protocol.version': '1.1', 'client.address': '127.0.0.1', 'client.port': expect.any(Number) },
  })
})

test('a trace goes from the client’s span to the tool, beside that of the HTTP request', async () => {
  const { sdk, client } = await start()
  await callWork(client, _meta)
  const call = sdk.span('tools/call work')
  expect(call.parentSpanContext).toMatchObject({ ...remote, isRemote: true })
  expect(sdk.span('work of the tool').spanContext().traceId).toBe(remote.traceId)
  const http = await httpOf(sdk, call.links[0]?.context.spanId)
  expect(http.name).toBe('POST')
  expect(http.spanContext().traceId).not.toBe(remote.traceId)
})

describe.skipIf(skipsRedis())('with Redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis.stop())

  test('the store’s commands are in the trace of the request that needs them', async () => {
    const commands = new Redis(redis.port, '127.0.0.1')
    onTestFinished(() => commands.disconnect())
    const store = redisBackplane(commands)
    const { sdk, client } = await start({ backplane: store, response: 'sse' })
    await callWork(client, _meta)
    const call = sdk.span('tools/call work')
    // Its answer was appended to the log by what the call runs in.
    await waitFor(() => ofTrace(sdk, remote.traceId).some(isRedis))
    const [stored] = ofTrace(sdk, remote.traceId).filter(isRedis)
    expect(stored?.parentSpanContext?.spanId).toBe(call.spanContext().spanId)
    // The session was stored by the request that has opened it, with no call around it.
    const initialize = sdk.span('initialize')
    const http = await httpOf(sdk, initialize.parentSpanContext?.spanId)
    expect(ofTrace(sdk, http.spanContext().traceId).filter(isRedis).length).toBeGreaterThan(0)
  })
})

function ofTrace(sdk: StartedSdk, traceId: string): ReadableSpan[] {
  return sdk.spans().filter((span) => span.spanContext().traceId === traceId)
}

function isRedis({ attributes }: ReadableSpan): boolean {
  return attributes['db.system'] === 'redis' || attributes['db.system.name'] === 'redis'
}
