import { type Adapter, type AdapterName, findAdapter, type StartOptions, startFixture } from '../../mounts/index.ts'
import { describeServer } from '../../src/describe-server.ts'
import type { Exclusion } from '../../src/exclusion.ts'

/** One way to mount an adapter. */
interface Way {
  readonly name: string
  readonly options: StartOptions
  /** What cannot be met in this way, beside what the adapter cannot meet in any. */
  readonly exceptions: readonly Exclusion[]
}

/** What no mount of this repository can show yet, or shows in a test of its own. */
export const elsewhere: readonly Exclusion[] = [
  { id: 'modern-only/', reason: 'modes.test.ts has a server of 2026-07-28 alone' },
  {
    id: 'modern/unannounced-methods-are-unknown',
    reason: 'the fixture announces all that there is; not so in modes.test.ts',
  },
  { id: 'auth/', reason: 'authorization.test.ts has mounts that ask for tokens' },
  { id: 'stateless/', reason: 'modes.test.ts has a server without sessions' },
  { id: 'http2/', reason: 'node:http speaks HTTP/1.1 only' },
  { id: 'resume/event-id-without-a-store-does-no-harm', reason: 'its events have ids' },
  { id: 'endpoint/preflight-allows-what-clients-send', reason: 'CORS is left to the middleware of the framework' },
  { id: 'endpoint/cors-exposes-the-session-id', reason: 'CORS is left to the middleware of the framework' },
  { id: 'endpoint/cors-answers-vary-by-origin', reason: 'CORS is left to the middleware of the framework' },
]

const oneNode: readonly Exclusion[] = [
  { id: 'resume/works-on-another-node', reason: 'there is one node' },
  { id: 'nodes/', reason: 'there is one node' },
]

/** The major before the newest of a framework: what is ours there is the same, so that fewer ways tell. */
const olderMajors: readonly AdapterName[] = ['express4', 'koa2']

/**
 * Holds an adapter to every requirement, mounted bare. With `MOUNTS=more` in the other ways instead: behind body parsers,
 * with event streams for every answer, compression, routers, on the framework's older major.
 */
export function describeMounts(name: AdapterName): void {
  const adapter = findAdapter(name)
  const isMore = process.env.MOUNTS === 'more'
  const isOlder = olderMajors.includes(name)
  const [bare, ...parsed] = parserWays(adapter, 'auto')
  const more = isOlder ? [bare, ...parsed] : [...parsed, ...otherWays(adapter)]
  for (const way of isMore ? more : [bare]) {
    describeServer(name, {
      [way.name]: {
        start: () => startFixture({ adapter: name, ...way.options }),
        exclude: [...elsewhere, ...oneNode, ...adapter.exceptions, ...way.exceptions],
        strict: true,
        levels: 'all',
        // What is hard on a server is as hard in every way: once is enough.
        abuse: !isMore,
      },
    })
  }
}

function parserWays({ parser }: Adapter, response: 'auto' | 'sse'): [Way, ...Way[]] {
  const name = `response: ${response}`
  const bare: Way = { name, options: { response }, exceptions: [] }
  if (parser === undefined) return [bare]
  const { exceptions } = parser
  return [bare, { name: `behind a body parser, ${name}`, options: { response, parser: true }, exceptions }]
}

const noJson: Exclusion = { id: 'cancel/ends-a-json-answer', reason: 'there are no JSON answers with response: sse' }

function otherWays(adapter: Adapter): Way[] {
  const streamed = parserWays(adapter, 'sse').map((way) => ({ ...way, exceptions: [...way.exceptions, noJson] }))
  const wrapped = (['compression', 'nested'] as const).filter((option) => adapter[option])
  return [...streamed, ...wrapped.map((name): Way => ({ name, options: { [name]: true }, exceptions: [] }))]
}
