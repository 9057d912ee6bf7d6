import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type ReferenceOptions, startReferenceServer } from '../doubles/reference-server.ts'
import { TargetError } from '../src/client/target.ts'
import type { Report } from '../src/report.ts'
import { runConformance } from '../src/run-conformance.ts'

const closing: (() => unknown)[] = []

afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

const log = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'odd' } }
const oddLog = `data: ${JSON.stringify(log)}\n\n`

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

async function serve(answer: Answer): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

async function reference(options: ReferenceOptions = {}): Promise<string> {
  const server = await startReferenceServer(options)
  closing.push(() => server.close())
  return server.url
}

/** Hands each request on to the correct server, unless `answers` has answered it. */
async function inFrontOf(
  url: string,
  answers: (incoming: IncomingMessage, response: ServerResponse) => boolean,
  { delayMs = 0, gathers = false, logs = false } = {},
) {
  return await serve(async (incoming, response) => {
    if (answers(incoming, response)) return
    if (delayMs > 0) await sleep(delayMs)
    const { method, headers } = incoming
    const onward = request(
      url,
      { method, headers: { ...headers, host: new URL(url).host }, agent: false },
      async (answer) => {
        const gathered = gathers && method === 'POST' ? await buffer(answer).catch(() => undefined) : undefined
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        if (gathered) return void response.end(gathered)
        response.flushHeaders()
        if (logs && answer.headers['content-type'] === 'text/event-stream') response.write(oddLog)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
}

function verdictsOf({ results }: Report, verdict: string): string[] {
  return results.filter((result) => result.verdict === verdict).map(({ id, message }) => `${id}: ${message}`)
}

const some = ['lifecycle/', 'post/', 'notification/', 'get-stream/']

describe.concurrent('a server that takes only so many requests', { timeout: 60_000 }, () => {
  test('is asked again after its Retry-After, by fewer checks at once', async () => {
    let refused = 0
    let open = 0
    const url = await inFrontOf(await reference(), (_, response) => {
      open += 1
      response.once('close', () => {
        open -= 1
      })
      if (open <= 6) return false
      refused += 1
      response.writeHead(429, { 'retry-after': '1' }).end()
      return true
    })
    const report = await runConformance({ url, only: some, skip: ['post/last-event-id-is-ignored'] })
    expect(refused).toBeGreaterThan(0)
    expect([report.counts.fail, report.counts['not-set-up'], report.incomplete]).toEqual([0, 0, ''])
  })

  test('is said to be rate-limited when it stays at 429', async () => {
    let taken = 0
    const url = await inFrontOf(await reference(), (_, response) => {
      taken += 1
      if (taken < 120) return false
      response.writeHead(429, { 'retry-after': '3600' }).end()
      return true
    })
    const report = await runConformance({ url, only: some })
    expect(report.incomplete).toMatch(/^rate-limited: the server answered 429 with Retry-After: 3600/)
    expect(report.counts.fail).toBe(0)
    expect(report.counts['not-run']).toBeGreaterThan(10)
  })
})

describe.concurrent('a server that serves nobody after a while', { timeout: 60_000 }, () => {
  test('has no failure but the one that broke it', async () => {
    let isBroken = false
    const url = await inFrontOf(await reference(), (incoming, response) => {
      isBroken ||= incoming.headers['mcp-session-id'] === '__proto__'
      if (!isBroken) return false
      response.writeHead(500).end()
      return true
    })
    const only = ['session/', 'limits/', 'afterwards/']
    const harmless = await runConformance({ url, only })
    expect([harmless.counts.fail, harmless.incomplete]).toEqual([0, ''])
    const report = await runConformance({ url, only, abuse: true })
    expect(verdictsOf(report, 'fail')).toEqual([
      expect.stringMatching(
        /^session\/hostile-ids-are-refused: after this check the server no longer works: it opens no /,
      ),
    ])
    expect(report.incomplete).toMatch(/^since session\/hostile-ids-are-refused the server opens no sessions: /)
  })

  test('is told from when on it opens no sessions', async () => {
    let taken = 0
    const url = await inFrontOf(await reference(), (incoming, response) => {
      taken += 1
      if (taken < 100 || incoming.headers['mcp-session-id'] !== undefined) return false
      response.writeHead(500).end()
      return true
    })
    const report = await runConformance({ url, only: ['answer/', 'post/', 'notification/'] })
    expect(report.counts.fail).toBe(0)
    expect(report.counts['not-set-up']).toBeGreaterThan(0)
    expect(report.incomplete).toMatch(
      /^since [a-z-]+\/[a-z0-9-]+, or a check beside it, the server opens no sessions: /,
    )
  })

  test('which serves one client only has that one failure, and is told what to do', async () => {
    const report = await runConformance({ url: await reference({ defects: new Set(['serves-one-client']) }) })
    expect(verdictsOf(report, 'fail')).toEqual([
      expect.stringMatching(
        /^lifecycle\/initialize-is-answered: .*Already initialized.*make both anew for each initialize/,
      ),
    ])
    expect(report.incomplete).toMatch(/^since lifecycle\/initialize-is-answered the server opens no sessions/)
  })

  test('because something reads its bodies first has that one failure, and is told what to do', async () => {
    const url = await serve((incoming, response) => {
      incoming.resume()
      const error = { code: -32700, message: 'Parse error: stream is not readable' }
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
    })
    const report = await runConformance({ url })
    expect(verdictsOf(report, 'fail')).toEqual([
      expect.stringMatching(/^lifecycle\/initialize-is-answered: .*body parser/),
    ])
  })
})

test('a call that a proxy gathers, or whose tool is quick, is not said to be lost or not cancelled', {
  timeout: 60_000,
}, async () => {
  const url = await inFrontOf(await reference(), () => false, { gathers: true })
  const only = [
    'resume/continues-a-running-call',
    'resume/takes-over-from-an-open-connection',
    'cancel/is-not-answered',
  ]
  const report = await runConformance({ url, only })
  const over = (id: string) => `${id}: the call was over before anything could be done to it`
  expect(verdictsOf(report, 'not-testable')).toEqual(only.map(over))
})

test('a server that logs things of its own on its streams loses and leaks nothing by that', {
  timeout: 60_000,
}, async () => {
  const url = await inFrontOf(await reference(), () => false, { logs: true })
  const only = [
    'get-stream/early-close-can-be-resumed',
    'connections/push-stays-in-its-session',
    'resume/from-the-last-id-replays-nothing',
    'resume/standalone-stream-keeps-what-was-missed',
  ]
  const report = await runConformance({ url, only })
  expect(report.counts.pass, JSON.stringify(report.results.map(({ message }) => message))).toBe(only.length)
})

describe.concurrent('what is no server to check', { timeout: 30_000 }, () => {
  test('the transport of 2024-11-05 is recognised', async () => {
    const url = await serve((incoming, response) => {
      if (incoming.method !== 'GET') return void response.writeHead(404).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: endpoint\ndata: /messages?sessionId=1\n\n')
    })
    const error = await runConformance({ url }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TargetError)
    expect(String(error)).toMatch(/speaks HTTP with SSE, the transport of 2024-11-05/)
  })

  test('a page is told by its text, not by its markup', async () => {
    const page =
      '<!doctype html><html><head><style>p{}</style></head><body><pre>Error: Already connected</pre></body></html>'
    const url = await serve((_, response) => response.writeHead(500, { 'content-type': 'text/html' }).end(page))
    const error = await runConformance({ url }).catch((reason: unknown) => reason)
    expect(String(error)).toMatch(/"Error: Already connected"\. One server object with one transport/)
  })
})

describe.concurrent('tools that play roles', { timeout: 60_000 }, () => {
  const roles = (tool: string) => new Map([['progress', { tool, args: {} }]])

  test('are tried first, and one that does not play its role is said so', async () => {
    const report = await runConformance({ url: await reference(), only: ['progress/'], roles: roles('echo') })
    expect(report.target.miscast?.progress).toMatch(
      /^the tool "echo" does not play it, or the server loses what it sends: expected one that reports progress at least three times while it runs, got /,
    )
    expect(report.counts.fail).toBe(0)
    expect(verdictsOf(report, 'not-testable')[0]).toMatch(/--tool progress=NAME\): the tool "echo" does not play it,/)
  })

  test('are among those that the server lists', async () => {
    const run = runConformance({ url: await reference(), only: ['progress/'], roles: roles('no_such_tool') })
    await expect(run).rejects.toThrow(
      /^Expected --tool progress to name a tool of the server, got "no_such_tool"; it has /,
    )
  })
})

test('a run that is too short for all looks at every area', { timeout: 60_000 }, async () => {
  const slow = await inFrontOf(await reference(), () => false, { delayMs: 40 })
  const report = await runConformance({ url: slow, timeoutMs: 8_000 })
  const areasOf = (isMeant: (verdict: string) => boolean) =>
    new Set(report.results.filter(({ verdict }) => isMeant(verdict)).map(({ id }) => id.split('/')[0]))
  expect(report.incomplete).toMatch(/--timeout gives it longer$/)
  expect(report.counts['not-run']).toBeGreaterThan(50)
  // Not all of them have something that this server can show, or that runs without a flag.
  expect(areasOf((verdict) => verdict === 'pass').size).toBeGreaterThan(10)
})
