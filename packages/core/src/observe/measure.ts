import type { TracedMessage } from '../diagnostics/messages.ts'
import type { Endpoint, EndpointStats } from '../endpoint.ts'
import { checkObservable, observe } from './observe.ts'
import { type MetricAttributes, OperationAttributes } from './operation.ts'
import { QuestionAttributes } from './question.ts'

/** A number that is kept about an endpoint, by the names and units of OpenTelemetry. */
export interface Metric {
  readonly name: string
  /** `s`, `By`, or what is counted, in braces. */
  readonly unit: string
  readonly description: string
  /** Every attribute that a value of it may have. */
  readonly attributes: readonly string[]
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[]
}

/** Where {@link measure} puts the numbers of an endpoint. */
export interface MetricSink {
  histogram(metric: Metric): (value: number, attributes: MetricAttributes) => void
  counter(metric: Metric): (value: number, attributes: MetricAttributes) => void
  /** Calls `read` when the value is wanted. `isTotal`: it only grows. */
  gauge(metric: Metric, read: () => number, isTotal: boolean): void
}

/** As the conventions for MCP have them, in seconds. */
const buckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

const network = ['mcp.protocol.version', 'network.protocol.name', 'network.protocol.version', 'network.transport']

const operationDuration: Metric = {
  name: 'mcp.server.operation.duration',
  unit: 's',
  description: 'Time from a request or notification of a client to its result.',
  attributes: [
    ...['mcp.method.name', 'error.type', 'gen_ai.operation.name', 'gen_ai.prompt.name', 'gen_ai.tool.name'],
    ...['rpc.response.status_code', ...network],
  ],
  buckets,
}

const questionDuration: Metric = {
  name: 'mcp.client.operation.duration',
  unit: 's',
  description: 'Time from a request to a client to its answer.',
  attributes: ['mcp.method.name', 'error.type', 'rpc.response.status_code', ...network],
  buckets,
}

const sessionDuration: Metric = {
  name: 'mcp.server.session.duration',
  unit: 's',
  description: 'Time for which a session lived on this node.',
  attributes: network,
  buckets,
}

const refusals = own('refusals', '{request}', 'Requests that were refused.', ['throughline.refusal.code'])
const replays = own('replays', '{replay}', 'Clients that came back with Last-Event-ID.', ['throughline.outcome'])
const takeovers = own('takeovers', '{session}', 'Sessions that were brought to life again.', ['throughline.outcome'])
const forwardDuration: Metric = {
  ...own('forward.duration', 's', 'Time in which another node answered a request.', ['throughline.outcome']),
  buckets,
}

const gauges: readonly (readonly [Metric, (stats: EndpointStats) => number, 'total'?])[] = [
  [own('sessions', '{session}', 'Sessions that live on this node.'), ({ sessions }) => sessions],
  [own('connections', '{connection}', 'Open responses that read a stream.'), ({ connections }) => connections],
  [own('streams', '{stream}', 'Streams of the sessions on this node.'), ({ streams }) => streams],
  [own('calls', '{call}', 'Calls that run.'), ({ calls }) => calls],
  [own('questions', '{question}', 'Requests to clients that wait for an answer.'), ({ questions }) => questions],
  [
    own('detached.calls', '{exchange}', 'Running exchanges without a connection.'),
    ({ detachedCalls }) => detachedCalls,
  ],
  [own('body.size', 'By', 'Bytes held for request bodies.'), ({ bodyBytes }) => bodyBytes],
  [own('log.events', '{event}', 'Events that the event log holds.'), ({ log }) => log.events],
  [own('log.size', 'By', 'Bytes that the event log holds.'), ({ log }) => log.bytes],
  [
    own('undelivered', '{message}', 'Messages that handlers sent and nobody could get.'),
    ({ undeliveredMessages }) => undeliveredMessages,
    'total',
  ],
]

function own(name: string, unit: string, description: string, attributes: readonly string[] = []): Metric {
  return { name: `throughline.${name}`, unit, description, attributes }
}

/**
 * Keeps the numbers of an endpoint in a sink, such as OpenTelemetry's meter or Prometheus' client. Names of tools that
 * clients make up are counted together, so that the number of series has a bound.
 *
 * @returns what ends it
 * @throws as {@link observe}
 */
export function measure(endpoint: Endpoint, sink: MetricSink): () => void {
  // Before anything is made in the sink, which would stay there and ask.
  checkObservable(endpoint)
  const operations = new OperationAttributes()
  const operated = sink.histogram(operationDuration)
  const questions = new QuestionAttributes()
  const asked = sink.histogram(questionDuration)
  const lived = sink.histogram(sessionDuration)
  const forwarded = sink.histogram(forwardDuration)
  const refused = sink.counter(refusals)
  const replayed = sink.counter(replays)
  const takenOver = sink.counter(takeovers)
  const stats = onceATurn(() => endpoint.stats())
  for (const [metric, read, total] of gauges) sink.gauge(metric, () => read(stats()), total === 'total')
  return observe(endpoint, {
    call: { asyncEnd: (message) => operated(secondsOf(message), operations.of(message)) },
    question: { asyncEnd: (message) => asked(secondsOf(message), questions.of(message)) },
    session: {
      asyncEnd: (message) => {
        const { protocolVersion } = message
        const transport = { 'network.protocol.name': 'http', 'network.transport': 'tcp' }
        lived(secondsOf(message), { 'mcp.protocol.version': protocolVersion, ...transport })
      },
    },
    forward: { asyncEnd: (message) => forwarded(secondsOf(message), toOutcome(message)) },
    replay: { asyncEnd: (message) => replayed(1, toOutcome(message)) },
    takeover: { asyncEnd: (message) => takenOver(1, toOutcome(message)) },
    refusal: ({ code }) => refused(1, { 'throughline.refusal.code': code }),
  })
}

/** All gauges are read together, and each would count every session anew. */
function onceATurn<Value>(read: () => Value): () => Value {
  let known: { readonly value: Value } | undefined
  return () => {
    if (!known) {
      known = { value: read() }
      queueMicrotask(() => {
        known = undefined
      })
    }
    return known.value
  }
}

function secondsOf({ durationMs = 0 }: TracedMessage): number {
  return durationMs / 1_000
}

/** What failed has none. */
function toOutcome({ outcome = 'failed' }: { outcome?: string | undefined }): MetricAttributes {
  return { 'throughline.outcome': outcome }
}
