import { createNoopMeter, type Meter, type ObservableCallback } from '@opentelemetry/api'
import type { Metric, MetricAttributes, MetricSink } from '@throughline/mcp-http-core'

/** What endpoints tell of one metric. Its values have no attributes, so that only their sum may be observed. */
type Reads = Set<() => number>

/** By meter and name: several endpoints of one process share an instrument, which keeps the value that came last. */
const readsOf = new WeakMap<Meter, Map<string, Reads>>()

/** Puts metrics into OpenTelemetry's meter. */
export class MeterSink implements MetricSink {
  readonly #meter: Meter
  readonly #ends: (() => void)[] = []

  constructor(meter: Meter) {
    this.#meter = meter
  }

  histogram({ name, unit, description, buckets }: Metric): (value: number, attributes: MetricAttributes) => void {
    const advice = { explicitBucketBoundaries: [...(buckets ?? [])] }
    const histogram = this.#meter.createHistogram(name, { unit, description, advice })
    return (value, attributes) => histogram.record(value, attributes)
  }

  counter({ name, unit, description }: Metric): (value: number, attributes: MetricAttributes) => void {
    const counter = this.#meter.createCounter(name, { unit, description })
    return (value, attributes) => counter.add(value, attributes)
  }

  gauge(metric: Metric, read: () => number, isTotal: boolean): void {
    // The one for all without an SDK would hold endpoints for ever, and asks for nothing.
    if (this.#meter === createNoopMeter()) return
    const reads = this.#readsOf(metric, isTotal)
    reads.add(read)
    this.#ends.push(() => reads.delete(read))
  }

  /** Reads nothing any more. */
  close(): void {
    for (const end of this.#ends) end()
  }

  #readsOf({ name, unit, description }: Metric, isTotal: boolean): Reads {
    const byName = readsOf.get(this.#meter) ?? new Map<string, Reads>()
    readsOf.set(this.#meter, byName)
    const known = byName.get(name)
    if (known) return known
    const reads: Reads = new Set()
    byName.set(name, reads)
    const options = { unit, description }
    const observable = isTotal
      ? this.#meter.createObservableCounter(name, options)
      : this.#meter.createObservableGauge(name, options)
    const callback: ObservableCallback = (result) => {
      if (reads.size > 0) result.observe([...reads].reduce((sum, each) => sum + each(), 0))
    }
    observable.addCallback(callback)
    return reads
  }
}
