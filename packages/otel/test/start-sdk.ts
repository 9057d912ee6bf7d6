import { context, metrics, propagation, trace } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { onTestFinished } from 'vitest'

export interface StartedSdk {
  /** Spans that have ended, in that order. */
  readonly spans: () => readonly ReadableSpan[]
  /** The span of this name, once it has ended. */
  span(name: string): ReadableSpan
  metric(name: string): Promise<MetricData | undefined>
  points(name: string): Promise<readonly DataPoint<unknown>[]>
}

/** The real SDK, with exporters that keep all in memory, registered until the test is over. */
export function startSdk(sampler?: Sampler): StartedSdk {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor(exporter)]
  const tracerProvider = new NodeTracerProvider({ spanProcessors, ...(sampler && { sampler }) })
  tracerProvider.register()
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 2_147_483_647 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  metrics.setGlobalMeterProvider(meterProvider)
  onTestFinished(async () => {
    for (const api of [trace, context, metrics, propagation]) api.disable()
    await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()])
  })
  const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans()

  return { spans, span, metric, points }

  function span(name: string): ReadableSpan {
    const found = spans().filter((each) => each.name === name)
    if (found.length === 1) return found[0] as ReadableSpan
    throw new Error(`Expected one span ${name}, got ${found.length} among ${spans().map((each) => each.name)}`)
  }

  async function metric(name: string): Promise<MetricData | undefined> {
    metricExporter.reset()
    await meterProvider.forceFlush()
    const all = metricExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics))
    return all.find(({ descriptor }) => descriptor.name === name)
  }

  async function points(name: string): Promise<readonly DataPoint<unknown>[]> {
    return (await metric(name))?.dataPoints ?? []
  }
}
