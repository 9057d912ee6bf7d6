import type { IncomingMessage } from 'node:http'
import { afterAll, describe, expect, test } from 'vitest'
import { type ReferenceOptions, startReferenceServer } from '../doubles/reference-server.ts'
import { type RunOptions, runConformance } from '../src/run-conformance.ts'
import { type Changes, type Passing, startChangingProxy } from './changing-proxy.ts'

const closing: (() => unknown)[] = []

afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The correct server, but for what is changed. */
async function serve(changes: Changes, options: ReferenceOptions = {}): Promise<string> {
  const server = await startReferenceServer(options)
  const proxy = await startChangingProxy(server.url, changes)
  closing.push(() => server.close(), proxy.close)
  return proxy.url
}

/** The ids of what is not met, and every verdict with its message. */
async function check(url: string, only: readonly string[], more: Partial<RunOptions> = {}) {
  const { results } = await runConformance({ url, only, ...more })
  const unmet = results.filter(({ verdict }) => ['fail', 'warn', 'advice', 'info', 'not-set-up'].includes(verdict))
  const verdicts = new Map(results.map(({ id, verdict, message }) => [id, `${verdict} ${message}`.trim()]))
  return { unmet: unmet.map(({ id }) => id), verdicts }
}

/** POSTs are served, whatever their session id. */
function serveAnyId({ method, body, status }: Passing) {
  if (method !== 'POST' || status !== 404) return undefined
  const { id } = JSON.parse(body)
  if (id === undefined) return { status: 202, body: '' }
  return { status: 200, body: JSON.stringify({ jsonrpc: '2.0', id, result: {} }) }
}

function acceptDelete({ method, headers }: IncomingMessage) {
  return method === 'DELETE' && headers['mcp-session-id'] !== undefined ? { status: 200, body: '' } : undefined
}

function refuseOldGet({ method, headers }: IncomingMessage) {
  const isOld = headers['mcp-protocol-version'] === '2025-03-26'
  return method === 'GET' && isOld ? { status: 400, body: '' } : undefined
}

// As servers that people run were seen to do it.
describe.concurrent('a server with one mistake has only the failures of that mistake', { timeout: 60_000 }, () => {
  test('where it serves any session id', async () => {
    const { unmet, verdicts } = await check(await serve({ answer: serveAnyId }), [
      'session/',
      'habits/',
      'get-stream/',
      'resume/',
    ])
    expect(unmet).toEqual([
      'session/ended-is-404-on-request',
      'session/ended-is-404-on-everything-else',
      'session/unknown-id-is-404',
    ])
    const servesAny = 'not-testable the server serves a session id that it never issued'
    expect(verdicts.get('session/chosen-id-is-not-adopted')).toBe(servesAny)
    expect(verdicts.get('session/id-is-compared-exactly')).toBe(servesAny)
    const hasNotEnded = 'not-testable a session is served on after its DELETE'
    expect(verdicts.get('habits/stale-session-id-revives-no-session')).toBe(hasNotEnded)
  })

  test('where it answers any DELETE, and ends nothing', async () => {
    const url = await serve({ unasked: acceptDelete })
    const { unmet } = await check(url, ['session/', 'habits/', 'get-stream/', 'resume/'])
    expect(unmet).toEqual([
      'session/ended-is-404-on-request',
      'session/ended-is-404-on-everything-else',
      'session/unknown-id-is-404-on-get-and-delete',
    ])
  })

  test('where it refuses GET for a version that it negotiates', async () => {
    const { unmet, verdicts } = await check(await serve({ unasked: refuseOldGet }), [
      'endpoint/get-is-event-stream-or-405',
      'get-stream/',
    ])
    expect(unmet).toEqual(['endpoint/get-is-event-stream-or-405'])
    expect(verdicts.get('endpoint/get-is-event-stream-or-405')).toMatch(
      /\(200 without MCP-Protocol-Version\), got 400$/,
    )
  })

  test('where it has no GET and says 404 for it', async () => {
    const unasked = ({ method }: IncomingMessage) => (method === 'GET' ? { status: 404, body: '' } : undefined)
    const { unmet, verdicts } = await check(await serve({ unasked }), [
      ...['endpoint/get-is-event-stream-or-405', 'endpoint/head-opens-no-stream', '2025-03-26/'],
      ...['connections/forwarded-headers-do-no-harm', 'habits/version-header-may-be-absent-throughout'],
    ])
    expect(unmet).toEqual(['endpoint/get-is-event-stream-or-405'])
    expect(verdicts.get('endpoint/head-opens-no-stream')).toBe('not-testable a plain GET is answered 404 as well')
  })

  test('where it leaves the streams of answers open', { timeout: 120_000 }, async () => {
    const url = await serve({ leavesStreamsOpen: true })
    const { unmet } = await check(url, ['answer/', 'post-stream/', '2025-03-26/', 'always/'])
    expect(unmet).toEqual(['post-stream/ends-after-the-response'])
  })

  test('where it reports progress on the stream of GET', async () => {
    // The suite listens on GET where the tool is not that of its own fixture.
    const changes = {
      body: (text: string) => text.replace('"name":"rapid"', '"name":"burst"'),
      reply: (text: string) => text.replace('"name":"burst"', '"name":"rapid"'),
    }
    const url = await serve(changes, { defects: new Set(['progress-sent-on-get']) })
    const roles = new Map([['progress', { tool: 'rapid', args: { count: 3, delayMs: 10 } }] as const])
    const { unmet, verdicts } = await check(url, ['progress/'], { roles })
    expect(verdicts.get('progress/keeps-the-tokens-type')).toBe('pass')
    expect(unmet).toEqual([])
  })

  test('where it takes the progress token 0 for none', async () => {
    const url = await serve({ body: (text) => text.replace('"progressToken":0', '"other":0') })
    const { unmet } = await check(url, ['progress/'])
    expect(unmet).toEqual(['progress/falsy-tokens-are-tokens'])
  })

  test('where calls of a session share the progress token of the latest', async () => {
    const url = await serve({}, { defects: new Set(['latest-token-serves-all-calls']) })
    const { unmet } = await check(url, ['progress/', 'post-stream/', 'connections/', 'cancel/', 'always/'])
    expect(unmet).toEqual([
      'post-stream/carries-no-progress-of-another-call',
      'connections/several-streams-at-once',
      'progress/increases-in-each-of-two-calls',
    ])
  })
})

test.each([
  ['the error -32600, as JSON-RPC has it', 200, -32600],
  ['422', 422, -32000],
])('an empty array may be answered with %s', { timeout: 60_000 }, async (_, status, code) => {
  const refusal = JSON.stringify({ jsonrpc: '2.0', error: { code, message: 'Invalid Request' } })
  const url = await serve({ answer: ({ body }) => (body === '[]' ? { status, body: refusal } : undefined) })
  expect((await check(url, ['post/empty-batch-is-400'])).unmet).toEqual([])
})

test('what is said of a server that breaks connections says what was expected', { timeout: 60_000 }, async () => {
  const url = await serve({ isBroken: (body) => body.includes('"_meta":5') })
  const { verdicts } = await check(url, ['answer/malformed-meta-is-answered'])
  expect(verdicts.get('answer/malformed-meta-is-answered')).toMatch(
    /^advice Expected an answer, the connection broke: /,
  )
})

test('a call that is over before anybody asks how it goes is no cancelled one', { timeout: 60_000 }, async () => {
  let asked = 0
  const body = (text: string) => {
    const isFirst = text.includes('"abort_query"') && asked++ === 0
    return isFirst ? text.replace('"key":"', '"key":"not ') : text.replace('"ms":400}', '"ms":1}')
  }
  const { verdicts } = await check(await serve({ body }), ['post-stream/disconnect-is-no-cancel'])
  expect(verdicts.get('post-stream/disconnect-is-no-cancel')).toBe('pass')
})
