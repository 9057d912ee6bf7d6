import type { Endpoint } from '../endpoint.ts'
import { withMethods } from '../option-checks.ts'
import { type Metric, type MetricSink, measure } from './measure.ts'
import type { MetricAttributes } from './operation.ts'

interface Configuration {
  name: string
  help: string
  labelNames: string[]
}

/** What is used of `prom-client`, so that this package does without it. */
export interface PrometheusClient<Registry extends PrometheusRegistry = PrometheusRegistry> {
  readonly register: Registry
  readonly Histogram: new (
    given: Configuration & { buckets: number[]; registers: Registry[] },
  ) => { observe(labels: MetricAttributes, value: number): void }
  readonly Counter: new (
    given: Configuration & { registers: Registry[]; collect?: () => void },
  ) => { inc(labels: MetricAttributes, value: number): void; inc(value: number): void; reset(): void }
  readonly Gauge: new (
    given: Configuration & { registers: Registry[]; collect: () => void },
  ) => { set(value: number): void }
}

export interface PrometheusRegistry {
  getSingleMetric(name: string): unknown
  removeSingleMetric(name: string): void
}

const isClient = withMethods<PrometheusClient>('Histogram', 'Counter', 'Gauge')
const isRegistry = withMethods<PrometheusRegistry>('getSingleMetric', 'removeSingleMetric')

/**
 * Keeps the metrics of an endpoint in a registry of `prom-client`: give the module, and a registry where it is not the
 * module's own. Two endpoints of one process need a registry each.
 *
 * @returns what ends it, and takes the metrics out of the registry
 * @throws TypeError for what is not the module or no registry, and as {@link observe}; Error where the registry has an
 * endpoint's metrics already
 *
 * @example
 * ```ts
 * prometheusMetrics(endpoint, client)
 * app.get('/metrics', async (_request, response) => response.type('text').send(await client.register.metrics()))
 * ```
 */
export function prometheusMetrics<Registry extends PrometheusRegistry>(
  endpoint: Endpoint,
  client: PrometheusClient<Registry>,
  register: Registry = client?.register,
): () => void {
  isClient(client, 'the second argument of prometheusMetrics, the module prom-client,')
  isRegistry(register, 'the third argument of prometheusMetrics, a registry of prom-client,')
  const registers = [register]
  const made: string[] = []
  const configure = (metric: Metric, suffix = ''): Configuration => {
    const name = toName(metric) + suffix
    if (register.getSingleMetric(name)) {
      throw new Error(`${name} is in the registry already: give each endpoint one of its own, as third argument`)
    }
    made.push(name)
    return { name, help: metric.description, labelNames: metric.attributes.map(toLabel) }
  }
  const removeMade = (): void => {
    for (const name of made.splice(0)) register.removeSingleMetric(name)
  }
  const sink: MetricSink = {
    histogram(metric) {
      const histogram = new client.Histogram({ ...configure(metric), buckets: [...(metric.buckets ?? [])], registers })
      return (value, attributes) => histogram.observe(toLabels(attributes), value)
    },
    counter(metric) {
      const counter = new client.Counter({ ...configure(metric, '_total'), registers })
      return (value, attributes) => counter.inc(toLabels(attributes), value)
    },
    gauge(metric, read, isTotal) {
      if (isTotal) {
        const collect = (): void => {
          counter.reset()
          counter.inc(read())
        }
        const counter = new client.Counter({ ...configure(metric, '_total'), registers, collect })
      } else {
        const collect = (): void => gauge.set(read())
        const gauge = new client.Gauge({ ...configure(metric), registers, collect })
      }
    },
  }
  try {
    const stop = measure(endpoint, sink)
    return () => {
      stop()
      removeMade()
    }
  } catch (error) {
    removeMade()
    throw error
  }
}

/** As OpenTelemetry's Collector names it for Prometheus, so that one dashboard serves both. */
function toName({ name, unit }: Metric): string {
  const suffix = unit === 's' ? '_seconds' : unit === 'By' ? '_bytes' : ''
  return toLabel(name) + suffix
}

function toLabel(name: string): string {
  return name.replaceAll('.', '_')
}

function toLabels(attributes: MetricAttributes): MetricAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [toLabel(name), value]))
}
