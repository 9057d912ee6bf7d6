/** Servers of W1's echo that differ in what watches them. Each is compared with the one that it is told beside. */
export interface Variant {
  readonly name: string
  /** What it is, in the table. */
  readonly title: string
  /** Name of the variant that the ratio is of. */
  readonly of: string
  /** Most that the ratio may be, as this repository promises it. */
  readonly limit?: number
}

export const variants: readonly Variant[] = [
  { name: 'plain-again', title: 'the same server once more: what the ratio of equal servers is', of: 'plain' },
  { name: 'channels', title: 'one subscriber to `throughline.call`, which does nothing', of: 'plain' },
  {
    name: 'context',
    title: 'an `AsyncLocalStorage` that each call of the tool runs in, and nothing else',
    of: 'plain',
  },
  {
    name: 'by-hand',
    title: 'floor: a span with the same attributes and the same metric, written into the tool',
    of: 'plain',
  },
  { name: 'otel', title: '`openTelemetry(endpoint)`, every call recorded', of: 'plain', limit: 1.15 },
  { name: 'otel-of-floor', title: '`openTelemetry(endpoint)` beside that floor', of: 'by-hand' },
  { name: 'spans', title: '`metrics: false`', of: 'plain' },
  { name: 'metrics', title: '`spans: false`', of: 'plain' },
  { name: 'sampled', title: 'the sampler keeps 5 % of the traces', of: 'plain' },
  { name: 'http', title: 'the HTTP instrumentation alone', of: 'plain' },
  {
    name: 'http-otel',
    title: '`openTelemetry(endpoint)` where the HTTP instrumentation is on already',
    of: 'http',
    limit: 1.15,
  },
]
