import type { EndpointOptions } from '@throughline/mcp-http-core'
import { type AdapterName, adapterNames, frameworkNames, parserNames, startFixture } from '../mounts/index.ts'
import { describeRequirements, type Exclusion } from '../src/describe-requirements.ts'

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

function exclusionsFor(adapter: AdapterName, parser: boolean, response: Response): Exclusion[] {
  const excluded: Exclusion[] = []
  if (parser) excluded.push(...answeredByParser)
  if (parser && adapter === 'node') {
    excluded.push({
      id: 'limits/chunked-large-body-is-413',
      reason: 'the bare mount answers 400 to every parser error',
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

/** Describes every adapter, with and without a parser, for one shape of answers. */
export function describeMounts(response: Response): void {
  for (const adapter of adapterNames) {
    for (const parser of parserNames.includes(adapter) ? [false, true] : [false]) {
      describeRequirements(`${adapter}${parser ? ' behind a body parser' : ''}, response: ${response}`, {
        start: () => startFixture({ adapter, parser, response }),
        exclude: exclusionsFor(adapter, parser, response),
        strict: true,
      })
    }
  }
}

/** The fixture behind compression, and under a router at a path of its own. */
export function describeVariants(): void {
  for (const adapter of frameworkNames) {
    for (const variant of ['compression', 'nested'] as const) {
      describeRequirements(`${adapter}, ${variant}`, {
        start: () => startFixture({ adapter, [variant]: true }),
        exclude: exclusionsFor(adapter, false, 'auto'),
        strict: true,
      })
    }
  }
}
