import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { TargetError } from '../src/client/target.ts'
import type { Report } from '../src/report.ts'
import { type RunOptions, runConformance } from '../src/run-conformance.ts'

const closing: (() => unknown)[] = []

afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}/mcp`
}

/** What is said of a server that cannot be checked. */
async function refusal(url: string, options: Partial<RunOptions> = {}): Promise<string> {
  const error: unknown = await runConformance({ url, ...options }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(TargetError)
  return (error as TargetError).message
}

function readBody(request: Parameters<RequestListener>[0]): Promise<string> {
  return new Promise((resolve) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => resolve(body))
  })
}

function readMessage(body: string): { method?: string; id?: unknown; params?: Record<string, unknown> } {
  try {
    return { ...JSON.parse(body) }
  } catch {
    // A check that sends what is no JSON gets the answer of the server all the same.
    return {}
  }
}

/** Answers `initialize` of whatever revision, and leaves everything else to `answer`. */
async function serveAfterInitialize(answer: (response: ServerResponse, method: string) => void): Promise<string> {
  return await serve(async (request, response) => {
    const body = await readBody(request)
    const message = readMessage(body)
    if (message.method !== 'initialize') return answer(response, message.method ?? '')
    const { protocolVersion } = message.params ?? {}
    const result = { protocolVersion, capabilities: {}, serverInfo: { name: 'hostile', version: '1' } }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
  })
}

function sendMegabytes(response: ServerResponse, count: number): void {
  const piece = Buffer.alloc(1_048_576, 0x20)
  const more = (left: number): void => {
    if (left === 0 || response.destroyed) response.end()
    else response.write(piece, () => more(left - 1))
  }
  more(count)
}

// Most of the time is spent waiting for what never comes.
describe.concurrent('a server that cannot be checked', () => {
  test('is refused when nothing listens', async () => {
    const server = createTcpServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    expect(await refusal(`http://127.0.0.1:${port}/mcp`)).toMatch(/cannot be reached: .*ECONNREFUSED/)
  })

  test('is refused when it does not speak TLS', async () => {
    const url = await serve((_, response) => response.end())
    expect(await refusal(url.replace('http:', 'https:'))).toMatch(/cannot be reached: /)
  })

  test('is refused when its certificate is not trusted', async () => {
    const read = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url))
    const port = await listen(createSecureServer({ key: read('key.pem'), cert: read('cert.pem') }))
    expect(await refusal(`https://127.0.0.1:${port}/mcp`)).toMatch(/self-signed certificate.*NODE_EXTRA_CA_CERTS/)
  })

  test('is refused when it answers with a web page', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><h1>Hello')
    })
    expect(await refusal(url)).toMatch(
      /got status 200 with text\/html.*is the path of the URL that of the MCP endpoint/,
    )
  })

  test.each([
    [404, /Is the path/],
    [401, /--token/],
    [302, /Redirects are not followed/],
    [500, /got status 500/],
  ])('is refused with advice when it answers %i', async (status, advice) => {
    const url = await serve((_, response) => response.writeHead(status).end())
    expect(await refusal(url)).toMatch(advice)
  })

  test('is refused when it does not speak HTTP', async () => {
    const port = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).end('220 smtp ready\r\n')),
    )
    expect(await refusal(`http://127.0.0.1:${port}/mcp`)).toMatch(/cannot be reached: Parse Error/)
  })

  test('is refused when it hangs', { timeout: 25_000 }, async () => {
    const url = await serve(() => undefined)
    expect(await refusal(url)).toMatch(/The head of the answer to POST did not come within 10000 ms/)
  })

  test('is refused when its answer is an endless stream', { timeout: 25_000 }, async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => response.write(': still here\n\n'), 1)
      response.on('close', () => clearInterval(timer))
    })
    expect(await refusal(url)).toMatch(/The response to .* did not come within 10000 ms/)
  })

  test('is refused when its answer is 100 MB', { timeout: 25_000 }, async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      sendMegabytes(response, 100)
    })
    expect(await refusal(url)).toMatch(
      /to end within 64 MiB, it did not|The end of the body of #1 POST did not come within/,
    )
  })
})

describe.concurrent('a server that misbehaves after initialize', () => {
  /** Every verdict is explained, and none by the inside of the suite. */
  function expectClean({ results }: Report): void {
    for (const { verdict, message, id } of results) {
      if (verdict === 'pass') continue
      expect(message, id).not.toBe('')
      expect(message, id).not.toMatch(/the check itself failed|undefined|\n\s+at /)
    }
  }

  test('gets a report when it crashes half-way', { timeout: 120_000 }, async () => {
    const inner = await startReferenceServer()
    closing.push(() => inner.close())
    let requests = 0
    const front = createServer(async (request, response) => {
      requests += 1
      if (requests === 150) {
        front.closeAllConnections()
        front.close()
        return
      }
      const answer = await fetch(inner.url, {
        method: request.method ?? 'GET',
        headers: { ...(request.headers as Record<string, string>), host: new URL(inner.url).host },
        ...(request.method === 'POST' && { body: await readBody(request) }),
      }).catch(() => undefined)
      response.writeHead(answer?.status ?? 502, Object.fromEntries(answer?.headers ?? []))
      for await (const chunk of answer?.body ?? []) response.write(chunk)
      response.end()
    })
    const report = await runConformance({ url: `http://127.0.0.1:${await listen(front)}/mcp` })
    expect(report.incomplete).toMatch(
      /^since [a-z0-9-]+\/[a-z0-9-]+, or a check beside it, the server opens no sessions: .*ECONNREFUSED/,
    )
    expect(report.counts['not-run']).toBeGreaterThan(100)
    expectClean(report)
  })

  test('gets a report when everything else hangs', { timeout: 120_000 }, async () => {
    const report = await runConformance({ url: await serveAfterInitialize(() => undefined) })
    expect(report.incomplete).toMatch(/^since .* the server opens no sessions: /)
    expect(report.counts.fail).toBeGreaterThan(0)
    expectClean(report)
  })

  test('gets a report when tools/list works and everything else is 100 MB', { timeout: 120_000 }, async () => {
    const url = await serveAfterInitialize((response, method) => {
      response.writeHead(method.startsWith('notifications/') ? 202 : 200, { 'content-type': 'application/json' })
      if (method.startsWith('notifications/') || method === 'tools/list') response.end()
      else sendMegabytes(response, 100)
    })
    const report = await runConformance({ url, timeoutMs: 8_000 })
    expect(report.durationMs).toBeLessThan(30_000)
    expect(report.incomplete).not.toBe('')
    expect(report.counts.pass).toBeLessThan(report.results.length / 2)
    expectClean(report)
  })

  test('gets a report when every answer is an object of the wrong shape', { timeout: 120_000 }, async () => {
    const url = await serveAfterInitialize((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: null, error: 'none', params: [], method: 5 }))
    })
    expectClean(await runConformance({ url, timeoutMs: 8_000 }))
  })
})

test('a run ends at its limit, and says what it left out', async () => {
  const server = await startReferenceServer()
  closing.push(() => server.close())
  const report = await runConformance({ url: server.url, timeoutMs: 1_000 })
  expect(report.incomplete).toMatch(/the run was to end after 1000 ms, --timeout gives it longer$/)
  expect(report.durationMs).toBeLessThan(4_000)
  expect(report.counts['not-run']).toBeGreaterThan(0)
  expect(report.counts.fail).toBe(0)
})

test('a token is in no transcript, message or curl line', async () => {
  const url = await serveAfterInitialize((response) => response.writeHead(500).end('no'))
  const report = await runConformance({
    url,
    only: ['lifecycle/', 'post/unacceptable-is-406'],
    credentials: { token: 'a-secret-token' },
    headers: { 'X-Api-Key': 'a-secret-key' },
  })
  const text = JSON.stringify(report)
  expect(text).toContain('Bearer $TOKEN')
  expect(text).toContain('X-Api-Key: $X_API_KEY')
  expect(text).not.toMatch(/a-secret/)
})
