import { type MeterProvider, metrics as registeredMetrics, type TracerProvider, trace } from '@opentelemetry/api'
import { checkOptions, type Endpoint, expected, measure, observe, option } from '@throughline/mcp-http-core'
import { CallSpans } from './call-spans.ts'
import { MeterSink } from './meter-sink.ts'
import { ownSpans } from './own-spans.ts'
import { QuestionSpans } from './question-spans.ts'

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** @default the one that is registered with `@opentelemetry/api` when it is called, or later */
  tracerProvider?: TracerProvider
  /** @default the one that is registered with `@opentelemetry/api`: it must be by then */
  meterProvider?: MeterProvider
  /**
   * Whether spans are made, and handlers run in their contexts. `docs/tracing.md` says what that costs.
   * @default true
   */
  spans?: boolean
  /**
   * Whether metrics are kept.
   * @default true
   */
  metrics?: boolean
  /**
   * Spans get the arguments and the result of tools, as JSON: `gen_ai.tool.call.arguments` and `.result`, of each
   * the first 65,536 characters. Whoever reads your traces reads then what your users wrote, secrets included.
   * @default false
   */
  recordContents?: boolean
}

const table = {
  tracerProvider: option(undefined, provider<TracerProvider>('getTracer')),
  meterProvider: option(undefined, provider<MeterProvider>('getMeter')),
  spans: option(true, yesOrNo),
  metrics: option(true, yesOrNo),
  recordContents: option(false, yesOrNo),
}

function provider<Provider>(method: keyof Provider & string) {
  return (value: unknown, name: string): Provider | undefined => {
    const members = (value ?? {}) as Partial<Record<string, unknown>>
    if (value === undefined || typeof members[method] === 'function') return value as Provider | undefined
    throw expected(`${name} to have a method ${method}`, value)
  }
}

function yesOrNo(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw expected(`${name} to be true or false`, value)
}

const scope = '@throughline/mcp-http-otel'

/**
 * Traces and measures an endpoint by OpenTelemetry's conventions for MCP: a span for each request and notification of a
 * client, within which its handler runs, and the metrics of `docs/metrics.md`. Without a registered SDK it does nothing
 * that can be seen.
 *
 * @returns what ends it
 * @throws TypeError for a bad option, naming it; Error on a runtime without `node:diagnostics_channel`
 *
 * @example
 * ```ts
 * const endpoint = createEndpoint({ server: () => buildServer() })
 * openTelemetry(endpoint)
 * ```
 */
export function openTelemetry(endpoint: Endpoint, options: OpenTelemetryOptions = {}): () => void {
  const checked = checkOptions(table, options)
  const { tracerProvider = trace, meterProvider = registeredMetrics, recordContents } = checked
  const ends: (() => void)[] = []
  if (checked.spans) {
    const tracer = tracerProvider.getTracer(scope)
    const spans = new CallSpans(tracer, recordContents)
    const call = { start: spans.begin.bind(spans), asyncEnd: spans.end.bind(spans) }
    const questions = new QuestionSpans(tracer)
    const question = { start: questions.begin.bind(questions), asyncEnd: questions.end.bind(questions) }
    ends.push(observe(endpoint, { call, question, ...ownSpans(tracer) }))
  }
  if (checked.metrics) {
    const sink = new MeterSink(meterProvider.getMeter(scope))
    ends.push(measure(endpoint, sink), () => sink.close())
  }
  return () => {
    for (const end of ends) end()
  }
}
