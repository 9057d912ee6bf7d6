import { metrics } from '@opentelemetry/api'
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { openTelemetry } from '@throughline/mcp-http-otel'
import { listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'

/** What is exported goes nowhere: an exporter's own work is not ours. */
const nowhere = {
  export: (_exported: unknown, done: (result: { code: 0 }) => void) => done({ code: 0 }),
  selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
}

/** Every call is recorded and exported, as with the SDK's own defaults. */
export async function startWithOpenTelemetry(): Promise<RunningTarget> {
  new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(nowhere)] }).register()
  metrics.setGlobalMeterProvider(
    new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: nowhere })] }),
  )
  const endpoint = createEndpoint({ server: createServer1, maxSessions: 100_000, maxSessionsPerPrincipal: 100_000 })
  openTelemetry(endpoint)
  return { url: await listen(toNodeHandler(endpoint)) }
}
