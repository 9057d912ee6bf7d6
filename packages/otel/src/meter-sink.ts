import type { Meter, Observable, ObservableCallback } from '@opentelemetry/api'
import type { Metric, MetricAttributes, MetricSink } from '@throughline/mcp-http-core'

/** Puts metrics into OpenTelemetry's meter. */
export class MeterSink implements MetricSink {
  readonly #meter: Meter
  readonly #observed: [Observable, ObservableCallback][] = []

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

  gauge({ name, unit, description }: Metric, read: () => number, isTotal: boolean): void {
    const options = { unit, description }
    const observable = isTotal
      ? this.#meter.createObservableCounter(name, options)
      : this.#meter.createObservableGauge(name, options)
    const callback: ObservableCallback = (result) => result.observe(read())
    observable.addCallback(callback)
    this.#observed.push([observable, callback])
  }

  /** Reads nothing any more. */
  close(): void {
    for (const [observable, callback] of this.#observed) observable.removeCallback(callback)
  }
}
