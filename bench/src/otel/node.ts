// A server of W1's echo in a process of its own, watched or not: `node.mjs VARIANT`.
import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { type Attributes, context, metrics, SpanKind, trace } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node'
import { createEndpoint, type Endpoint, observe } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { openTelemetry } from '@throughline/mcp-http-otel'
import { startProfile, stopProfile } from '../inspector.ts'
import { listen } from '../targets/running-target.ts'
import { createServer1, createServer1With, type Echo } from '../targets/server1.ts'
import { toContent } from '../targets/tools.ts'

/** Microseconds of the processor that the process has used, or a profile of it. */
export type Asked = 'cpu' | 'startProfile' | 'stopProfile'
export type Told = { readonly url: string } | { readonly value: number | string }

const maxSessions = 100_000

/** Whatever tells what the server does. `echo` takes the place of the tool. */
interface Watch {
  readonly echo?: () => Echo
  readonly endpoint?: (endpoint: Endpoint) => void
}

/** What is exported goes nowhere: an exporter's own work depends on which it is. */
const nowhere = {
  export: (_exported: unknown, done: (result: { code: 0 }) => void) => done({ code: 0 }),
  selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
}

/** OpenTelemetry's SDK with its own defaults. */
function startSdk(sampler?: Sampler): void {
  const spanProcessors = [new BatchSpanProcessor(nowhere)]
  new NodeTracerProvider({ spanProcessors, ...(sampler && { sampler }) }).register()
  const reader = new PeriodicExportingMetricReader({ exporter: nowhere })
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
}

function startHttp(): void {
  new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true })
  // It patches what is required after it was made.
  createRequire(import.meta.url)('node:http')
}

/** In each call of the tool. On Node 20 each promise of the process costs more from then on. */
function createInContext(): Echo {
  const storage = new AsyncLocalStorage<object>()
  return ({ text }) => storage.run({ text }, () => toContent(text))
}

/** As one would write it oneself, without anything that is there for more than this one tool. */
function createByHand(): Echo {
  const tracer = trace.getTracer('bench')
  const unit = 's'
  const duration = metrics.getMeter('bench').createHistogram('mcp.server.operation.duration', { unit })
  const common: Attributes = {
    ...{ 'mcp.method.name': 'tools/call', 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'echo' },
    ...{ 'mcp.protocol.version': '2025-11-25', 'network.protocol.name': 'http', 'network.protocol.version': '1.1' },
    ...{ 'network.transport': 'tcp' },
  }
  return ({ text }, { requestId, sessionId }) => {
    const startedAt = performance.now()
    const span = tracer.startSpan('tools/call echo', { kind: SpanKind.SERVER })
    if (span.isRecording()) {
      span.setAttributes(common)
      span.setAttribute('mcp.session.id', sessionId ?? '')
      span.setAttribute('jsonrpc.request.id', String(requestId))
      span.setAttribute('client.address', '127.0.0.1')
      span.setAttribute('client.port', 1)
    }
    const result = context.with(trace.setSpan(context.active(), span), () => toContent(text))
    span.end()
    duration.record((performance.now() - startedAt) / 1_000, common)
    return result
  }
}

const watches: Readonly<Record<string, () => Watch>> = {
  plain: () => ({}),
  channels: () => ({ endpoint: (endpoint) => observe(endpoint, { call: { asyncEnd: () => undefined } }) }),
  context: () => ({ echo: createInContext }),
  'by-hand': () => {
    startSdk()
    return { echo: createByHand }
  },
  otel: () => {
    startSdk()
    return { endpoint: openTelemetry }
  },
  spans: () => {
    startSdk()
    return { endpoint: (endpoint) => openTelemetry(endpoint, { metrics: false }) }
  },
  metrics: () => {
    startSdk()
    return { endpoint: (endpoint) => openTelemetry(endpoint, { spans: false }) }
  },
  sampled: () => {
    startSdk(new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.05) }))
    return { endpoint: openTelemetry }
  },
  http: () => {
    startHttp()
    startSdk()
    return {}
  },
  'http-otel': () => {
    startHttp()
    startSdk()
    return { endpoint: openTelemetry }
  },
}

const watch = watches[process.argv[2] ?? '']?.()
if (!watch) throw new RangeError(`Expected ${Object.keys(watches).join(', ')}, got ${process.argv[2]}`)
const echo = watch.echo?.()
const endpoint = createEndpoint({
  server: () => (echo ? createServer1With(echo) : createServer1()),
  ...{ maxSessions, maxSessionsPerPrincipal: maxSessions },
})
watch.endpoint?.(endpoint)

async function answer(asked: Asked): Promise<number | string> {
  if (asked === 'startProfile') return String(await startProfile())
  if (asked === 'stopProfile') return (await stopProfile()).cpu
  const { user, system } = process.cpuUsage()
  return user + system
}

process.on('message', async (asked: Asked) => process.send?.({ value: await answer(asked) } satisfies Told))
process.on('disconnect', () => process.exit(0))
process.send?.({ url: await listen(toNodeHandler(endpoint)) } satisfies Told)
