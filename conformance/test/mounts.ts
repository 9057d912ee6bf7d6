import type { EndpointOptions } from '@throughline/mcp-http-core'
import { type AdapterName, adapterNames, frameworkNames, parserNames, startFixture } from '../mounts/index.ts'
import { describeServer, type Exclusion } from '../src/describe-server.ts'

type Response = EndpointOptions['response'] & string

/** With a body parser in front, the parser answers before the endpoint is asked. */
const answeredByParser: readonly Exclusion[] = [
  {
    id: 'origin/is-checked-before-the-body-is-parsed',
    reason: 'the parser in front answers 400 to malformed JSON before the endpoint sees the Origin',
  },
  {
    id: 'origin/is-checked-before-the-body-is-read',
    reason: 'the parser in front reads the whole body before the endpoint sees the Origin',
  },
  { id: 'post/invalid-utf8-is-400', reason: 'the parser in front replaces invalid bytes by U+FFFD' },
  {
    id: 'post/malformed-json-is-a-parse-error',
    reason: 'the parser in front answers malformed JSON with its own page',
  },
  {
    id: 'limits/declared-large-body-is-413',
    reason: 'the parser in front reads a body to its end before it answers 413',
  },
  { id: 'limits/errors-tell-nothing-of-the-inside', reason: 'the error page of the parser in front shows a stack' },
]

/** What no mount of this repository can show yet, or shows in a test of its own. */
const elsewhere: readonly Exclusion[] = [
  { id: 'modern/', reason: 'revision 2026-07-28 is not served yet' },
  { id: 'modern-only/', reason: 'revision 2026-07-28 is not served yet' },
  { id: 'listen/', reason: 'revision 2026-07-28 is not served yet' },
  { id: 'afterwards/modern-server-answers-as-before', reason: 'revision 2026-07-28 is not served yet' },
  { id: 'auth/', reason: 'authorization.test.ts has mounts that ask for tokens' },
  { id: 'stateless/', reason: 'mounts.test.ts has a mount without sessions' },
  { id: 'http2/', reason: 'node:http speaks HTTP/1.1 only' },
  { id: 'resume/event-id-without-a-store-does-no-harm', reason: 'its events have ids' },
  { id: 'resume/works-on-another-node', reason: 'there is one node' },
  { id: 'endpoint/preflight-allows-what-clients-send', reason: 'CORS is left to the middleware of the framework' },
  { id: 'endpoint/cors-exposes-the-session-id', reason: 'CORS is left to the middleware of the framework' },
  { id: 'endpoint/cors-answers-vary-by-origin', reason: 'CORS is left to the middleware of the framework' },
]

function exclusionsFor(adapter: AdapterName, parser: boolean, response: Response): Exclusion[] {
  const excluded: Exclusion[] = []
  if (parser) excluded.push(...answeredByParser)
  if (parser && adapter === 'node') {
    excluded.push({
      id: 'limits/chunked-large-body-is-413',
      reason: 'the bare mount answers 400 to every parser error',
    })
  }
  if (parser && adapter.startsWith('koa')) {
    excluded.push({
      id: 'limits/client-errors-are-no-server-errors',
      reason: 'the parser in front answers 500 to a body that is said to be gzip and is not',
    })
  }
  if (adapter === 'fastify') {
    excluded.push({
      id: 'endpoint/unsupported-methods-are-405',
      reason: 'Fastify answers 404 to methods that the app has not added, such as PROPFIND',
    })
  }
  if (response === 'sse') {
    excluded.push({ id: 'cancel/ends-a-json-answer', reason: 'there are no JSON answers with response: sse' })
  }
  return excluded.filter(({ id }) => !isMetBy(adapter, id))
}

const metBehindKoa = new Set(['limits/errors-tell-nothing-of-the-inside', 'limits/declared-large-body-is-413'])

/** There the middleware in front only reads the text, which the endpoint then judges. */
const metBehindHono = new Set([
  'origin/is-checked-before-the-body-is-parsed',
  'post/malformed-json-is-a-parse-error',
  'limits/errors-tell-nothing-of-the-inside',
])

/** What some do better than Express with a parser in front. */
function isMetBy(adapter: AdapterName, id: string): boolean {
  if (adapter.startsWith('koa')) return metBehindKoa.has(id)
  if (adapter === 'hono') return metBehindHono.has(id)
  return adapter === 'node' && id === 'limits/errors-tell-nothing-of-the-inside'
}

/** Describes some adapters, with and without a parser, for one shape of answers. */
export function describeMounts(response: Response, adapters: readonly AdapterName[] = adapterNames): void {
  for (const adapter of adapters) {
    for (const parser of parserNames.includes(adapter) ? [false, true] : [false]) {
      describeServer(adapter, {
        [`${parser ? 'behind a body parser, ' : ''}response: ${response}`]: {
          start: () => startFixture({ adapter, parser, response }),
          exclude: [...elsewhere, ...exclusionsFor(adapter, parser, response)],
          strict: true,
          // What is hard on a server is as hard in either shape of answers: once is enough.
          abuse: response === 'auto',
        },
      })
    }
  }
}

/** The fixture behind compression, and under a router at a path of its own. */
export function describeVariants(): void {
  for (const adapter of frameworkNames) {
    for (const variant of ['compression', 'nested'] as const) {
      describeServer(adapter, {
        [variant]: {
          start: () => startFixture({ adapter, [variant]: true }),
          exclude: [...elsewhere, ...exclusionsFor(adapter, false, 'auto')],
          strict: true,
          abuse: false,
        },
      })
    }
  }
}
