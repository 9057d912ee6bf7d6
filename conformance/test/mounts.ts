import type { EndpointOptions } from '@throughline/mcp-http-core'
import { type Adapter, type AdapterName, adapters, startFixture } from '../mounts/index.ts'
import { describeServer } from '../src/describe-server.ts'
import type { Exclusion } from '../src/exclusion.ts'

type Response = EndpointOptions['response'] & string

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

/** What belongs to the shape of the answers, not to the adapter. */
const exceptionsOfShape: Readonly<Record<Response, readonly Exclusion[]>> = {
  auto: [],
  json: [],
  sse: [{ id: 'cancel/ends-a-json-answer', reason: 'there are no JSON answers with response: sse' }],
}

/** Describes some adapters, with and without a parser, for one shape of answers. */
export function describeMounts(response: Response, chosen: readonly Adapter<AdapterName>[] = adapters): void {
  for (const { name, exceptions, parser } of chosen) {
    const exclude = [...elsewhere, ...exceptions, ...exceptionsOfShape[response]]
    // What is hard on a server is as hard in either shape of answers: once is enough.
    const mount = { strict: true, abuse: response === 'auto' }
    describeServer(name, {
      [`response: ${response}`]: { ...mount, start: () => startFixture({ adapter: name, response }), exclude },
    })
    if (parser === undefined) continue
    describeServer(name, {
      [`behind a body parser, response: ${response}`]: {
        ...mount,
        start: () => startFixture({ adapter: name, response, parser: true }),
        exclude: [...exclude, ...parser.exceptions],
      },
    })
  }
}

/** The fixture behind compression, and under a router at a path of its own. */
export function describeVariants(): void {
  for (const adapter of adapters) {
    const { name, exceptions } = adapter
    for (const variant of ['compression', 'nested'] as const) {
      if (!adapter[variant]) continue
      describeServer(name, {
        [variant]: {
          start: () => startFixture({ adapter: name, [variant]: true }),
          exclude: [...elsewhere, ...exceptions],
          strict: true,
          abuse: false,
        },
      })
    }
  }
}
