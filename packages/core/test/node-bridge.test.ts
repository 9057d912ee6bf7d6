import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { constants, createServer as createHttp2Server } from 'node:http2'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Http2Client } from '../../../test-support/client/http2-client.ts'
import { initializeMessage, McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { RawConnection, toHead } from '../../../test-support/client/raw-connection.ts'
import { acceptBoth, send } from '../../../test-support/client/reply.ts'
import { settle, type WatchedEndpoint, watchedEndpoint } from '../../../test-support/endpoints.ts'
import { type Listening, listen } from '../../../test-support/listen.ts'
import { cancelled, flooding, report, slowFactory, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred, standstill, waitFor, within } from '../../../test-support/waiting.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { type BearerAuthOptions, createBearerAuth, createMemoryBackplane, type EndpointOptions } from '../src/index.ts'
import { toNodeHandler } from '../src/node/index.ts'

interface Started extends Listening, WatchedEndpoint {
  readonly url: string
}

async function start(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Promise<Started> {
  const built = watchedEndpoint(tools, options)
  const listening = await listen(toNodeHandler(built.endpoint))
  return { ...built, ...listening, url: `${listening.origin}/mcp` }
}

const json = { accept: acceptBoth, 'content-type': 'application/json' }

/** The bytes of a POST. */
function toPost(port: number, body: unknown, headers: Record<string, string> = {}): string {
  const text = JSON.stringify(body)
  const length = String(Buffer.byteLength(text))
  return toHead('POST', '/mcp', { host: `127.0.0.1:${port}`, ...json, 'content-length': length, ...headers }) + text
}

/** A head that announces a body. */
function toPostHead(port: number, headers: Record<string, string>): string {
  return toHead('POST', '/mcp', { host: `127.0.0.1:${port}`, ...json, ...headers })
}

const bearerOptions: BearerAuthOptions = {
  resource: 'https://mcp.example.com/mcp',
  authorizationServers: ['https://id.example.com'],
  verify: (token) => (token === 'alice' ? { token, clientId: 'app', scopes: [], extra: { sub: token } } : undefined),
}

/** The connection still serves. */
async function expectServes(connection: RawConnection, port: number): Promise<void> {
  connection.write(toPost(port, initializeMessage))
  expect((await connection.readResponse()).status).toBe(200)
}

describe('a connection that is kept', () => {
  test('serves on after every kind of answer', async () => {
    const { port, url } = await start()
    const { headers } = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const notification = { jsonrpc: '2.0', method: 'notifications/initialized' }
    const post = (body: unknown, more: Record<string, string> = {}): string =>
      toPost(port, body, { ...headers, ...more })
    const requests: [status: number, bytes: string][] = [
      [200, post(ping)],
      [202, post(notification)],
      [400, post({ jsonrpc: '1.0' })],
      [400, toPost(port, ping)],
      [403, post(ping, { origin: 'https://evil.example' })],
      [403, post(ping, { host: 'evil.example' })],
      [404, post(ping, { 'mcp-session-id': 'x'.repeat(32) })],
      [405, toHead('PUT', '/mcp', { host: 'localhost', 'content-length': '3' }).concat('abc')],
      [406, post(ping, { accept: 'text/html' })],
      [415, post(ping, { 'content-type': 'text/plain' })],
      [200, post(ping)],
      [204, toHead('DELETE', '/mcp', { host: 'localhost', ...headers })],
    ]
    for (const [status, bytes] of requests) {
      connection.write(bytes)
      const response = await connection.readResponse()
      expect(response.status).toBe(status)
      expect(response.headers.connection).not.toBe('close')
    }
  })

  test('does not collect listeners on its socket', async () => {
    const { url, server } = await start({ say: (_args, extra) => report(extra, 'hello') })
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const client = await McpClient.open(url, {}, agent)
    const counts = (): Record<string, number> => {
      const [socket] = sockets as [Socket]
      return Object.fromEntries(socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]))
    }
    await (await client.post(ping)).text()
    await (await client.call('say')).answer()
    const before = counts()
    for (let i = 0; i < 30; i++) {
      await (await client.post(ping)).text()
      const reply = await client.call('say')
      await reply.answer()
      await reply.events.ended
    }
    expect(sockets).toHaveLength(1)
    expect(counts()).toEqual(before)
  })

  test('answers pipelined requests in their order', async () => {
    const slow = deferred()
    const { port, url } = await start({ slow: () => slow.promise.then(() => 'slow') }, { upgradeAfterMs: 10_000 })
    const client = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const first = client.callMessage('slow')
    const second = client.callMessage('echo', { text: 'fast' })
    connection.write(
      toPost(port, first, client.headers) +
        toPost(port, second, client.headers) +
        toHead('PUT', '/mcp', { host: 'localhost' }),
    )
    // The second is served meanwhile, and its answer waits for the first.
    slow.resolve()
    expect(JSON.parse((await connection.readResponse()).body)).toMatchObject({ id: first.id })
    expect(JSON.parse((await connection.readResponse()).body)).toMatchObject({ id: second.id })
    expect((await connection.readResponse()).status).toBe(405)
  })

  test('carries pipelined event streams one after the other', async () => {
    const { port, url, endpoint } = await start({ say: (_args, extra) => report(extra, 'hello').then(() => 'said') })
    const client = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const calls = [1, 2, 3].map(() => client.callMessage('say'))
    connection.write(calls.map((call) => toPost(port, call, client.headers)).join(''))
    for (const { id } of calls) {
      const { headers, body } = await connection.readResponse()
      expect(headers['content-type']).toBe('text/event-stream')
      expect(body).toContain('"data":"hello"')
      expect(body).toContain(`"id":${id}`)
    }
    await settle(endpoint)
  })

  test('keeps one listener for all pipelined requests that wait', async () => {
    const { faults } = watchProcess()
    const slow = deferred()
    const { port, url, server, endpoint } = await start({ slow: () => slow.promise.then(() => 'slow') })
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    const client = await McpClient.open(url)
    const connection = await RawConnection.open(port)
    const calls = Array.from({ length: 30 }, () => client.callMessage('slow'))
    connection.write(calls.map((call) => toPost(port, call, client.headers)).join(''))
    await waitFor(() => endpoint.stats().calls === 30)
    slow.resolve()
    for (const { id } of calls) expect((await connection.readResponse()).body).toContain(`"id":${id}`)
    expect(sockets.at(-1)?.listenerCount('close')).toBeLessThan(5)
    expect(faults).toEqual([])
  })

  test.each(['auto', 'json'] as const)(
    'frees pipelined calls that wait for their turn when it breaks, with response: %s',
    async (response) => {
      const started = [deferred(), deferred(), deferred()]
      const stopped = [deferred(), deferred(), deferred()]
      const { port, url, endpoint, errors } = await start(
        {
          hold: async ({ n }, extra) => {
            await report(extra, 'begun')
            started[n as number]?.resolve()
            await cancelled(extra)
            stopped[n as number]?.resolve()
          },
        },
        { response },
      )
      const client = await McpClient.open(url)
      const connection = await RawConnection.open(port)
      connection.write([0, 1, 2].map((n) => toPost(port, client.callMessage('hold', { n }), client.headers)).join(''))
      await Promise.all(started.map(({ promise }) => promise))
      connection.socket.destroy()
      await stopped[0]?.promise
      await settle(endpoint)
      expect(errors).toEqual([])
    },
  )
})

describe('a body that is too large', () => {
  const options = { maxBodyBytes: 1_000 }

  test('is refused by its declared length, before a byte of it is sent', async () => {
    const { port } = await start({}, options)
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '5000000' }))
    const { status, headers, body } = await connection.readResponse()
    expect([status, headers['content-type']]).toEqual([413, 'application/json'])
    expect(JSON.parse(body)).toMatchObject({ jsonrpc: '2.0', error: { message: 'Request body too large' } })
    // A client that sends it all the same can go on.
    connection.write('x'.repeat(5_000_000))
    await expectServes(connection, port)
  })

  test('is refused while its chunks come', async () => {
    const { port, endpoint } = await start({}, options)
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'transfer-encoding': 'chunked' }))
    const chunk = `190\r\n${' '.repeat(400)}\r\n`
    connection.write(chunk.repeat(3))
    expect((await connection.readResponse()).status).toBe(413)
    connection.write(`${chunk.repeat(1_000)}0\r\n\r\n`)
    await expectServes(connection, port)
    expect(endpoint.stats().sessions).toBe(1)
  })

  test('may be exactly as large as allowed, in either way', async () => {
    const { port } = await start({}, options)
    const text = JSON.stringify(initializeMessage).padEnd(1_000, ' ')
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '1000' }) + text)
    expect((await connection.readResponse()).status).toBe(200)
    connection.write(`${toPostHead(port, { 'transfer-encoding': 'chunked' })}3e8\r\n${text}\r\n0\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(200)
    connection.write(`${toPostHead(port, { 'transfer-encoding': 'chunked' })}3e9\r\n${text} \r\n0\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(413)
  })

  test('is not read without end after it was refused', async () => {
    const { port } = await start({}, options)
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': String(1_000_000_000) }))
    expect((await connection.readResponse()).status).toBe(413)
    const megabyte = 'x'.repeat(1_048_576)
    let sent = 0
    while (!connection.socket.destroyed && sent < 200) {
      sent++
      if (!connection.socket.write(megabyte)) {
        await Promise.race([new Promise((resolve) => connection.socket.once('drain', resolve)), connection.closed])
      }
    }
    expect(sent).toBeLessThan(200)
  })
})

describe('a body for which middleware in front has set an encoding', () => {
  test.each(['utf8', 'latin1', 'base64'] as const)('comes whole: %s', async (encoding) => {
    const { endpoint, errors } = watchedEndpoint()
    const handle = toNodeHandler(endpoint)
    const { port, origin } = await listen((request, response) => {
      request.setEncoding(encoding)
      return handle(request, response)
    })
    const { headers } = await McpClient.open(`${origin}/mcp`)
    const text = JSON.stringify({ jsonrpc: '2.0', id: '🦉'.repeat(100), method: 'ping' })
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { ...headers, 'transfer-encoding': 'chunked' }))
    // Characters are split between chunks.
    for (let at = 0, bytes = Buffer.from(text); at < bytes.length; at += 50) {
      const piece = bytes.subarray(at, at + 50)
      connection.socket.write(
        Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
      )
    }
    connection.write('0\r\n\r\n')
    const response = await connection.readResponse()
    expect([response.status, errors]).toEqual([200, []])
  })
})

describe('a request that is refused by its head', () => {
  test('is cut off when the rest of its body does not come', async () => {
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { port } = await start()
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '1000', origin: 'https://evil.example' }))
    expect((await connection.readResponse()).status).toBe(403)
    vi.advanceTimersByTime(30_000)
    await connection.closed
  })

  test('is forgotten when its client leaves before the rest of its body came', async () => {
    const { port } = await start()
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '1000', origin: 'https://evil.example' }))
    expect((await connection.readResponse()).status).toBe(403)
    expect(vi.getTimerCount()).toBe(1)
    connection.socket.destroy()
    await expect.poll(() => vi.getTimerCount()).toBe(0)
  })

  test.each([
    ['a foreign Origin', 403, { origin: 'https://evil.example' }],
    ['a foreign Host', 403, { host: 'evil.example' }],
    ['a page that is cross-site', 403, { 'sec-fetch-site': 'cross-site' }],
    ['a media type that needs no preflight', 415, { 'content-type': 'text/plain' }],
    ['an unknown revision', 400, { 'mcp-session-id': 'x'.repeat(32), 'mcp-protocol-version': '1999-01-01' }],
  ])('for %s is answered %i before a byte of its body was sent', async (_what, status, headers) => {
    const { port, endpoint, errors } = await start()
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '1000', ...headers }))
    expect((await connection.readResponse()).status).toBe(status)
    connection.write('x'.repeat(1_000))
    await expectServes(connection, port)
    expect(endpoint.stats().sessions).toBe(1)
    expect(errors).toEqual([])
  })

  test('for a second Authorization is answered 401, whichever of the two is valid', async () => {
    const { port, endpoint } = await start({}, { auth: createBearerAuth(bearerOptions) })
    const connection = await RawConnection.open(port)
    const [line, ...lines] = toPost(port, initializeMessage).split('\r\n')
    for (const [tokens, status] of [
      [['alice'], 200],
      [['alice', 'bob'], 401],
      [['bob', 'alice'], 401],
      [['alice', 'alice'], 401],
    ] as const) {
      const more = tokens.map((token) => `Authorization: Bearer ${token}`)
      connection.write([line, ...more, ...lines].join('\r\n'))
      expect((await connection.readResponse()).status).toBe(status)
    }
    expect(endpoint.stats().sessions).toBe(1)
  })

  test.each(['HEAD', 'PUT', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'])(
    '%s is answered 405 with Allow',
    async (method) => {
      const { port } = await start()
      const connection = await RawConnection.open(port)
      connection.write(toHead(method, '/mcp', { host: 'localhost' }))
      const { status, headers } = await connection.readHead()
      expect([status, headers.allow]).toEqual([405, 'GET, POST, DELETE'])
      if (method !== 'HEAD') return
      // No byte of a body follows: the next head is the next response's.
      connection.write(toHead('HEAD', '/mcp', { host: 'localhost' }))
      expect((await connection.readHead()).status).toBe(405)
    },
  )

  test('is answered 405 with Allow: POST without sessions', async () => {
    const { url } = await start({}, { sessions: false })
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const reply = await send(url, { method })
      expect([reply.status, reply.headers.allow]).toEqual([405, 'POST'])
      await reply.text()
    }
  })

  test.each([
    ['two Host headers', 'host'],
    ['two Content-Type headers', 'content-type'],
    ['two session ids', 'mcp-session-id'],
    ['two Origin headers', 'origin'],
  ])('for %s gets no session', async (_what, name) => {
    const { port, endpoint } = await start()
    const connection = await RawConnection.open(port)
    const value = {
      host: `127.0.0.1:${port}`,
      origin: `http://127.0.0.1:${port}`,
      ...json,
      'mcp-session-id': 'x'.repeat(32),
    }[name]
    const text = JSON.stringify(initializeMessage)
    const head = toPostHead(port, {
      ...(name !== 'host' && { [name]: value as string }),
      'content-length': String(text.length),
    })
    connection.write(head.replace('\r\n\r\n', `\r\n${name}: ${value}\r\n\r\n`) + text)
    expect((await connection.readResponse()).status).toBeGreaterThanOrEqual(400)
    expect(endpoint.stats().sessions).toBe(0)
  })
})

describe('Expect: 100-continue', () => {
  test('is answered, then the body is read', async () => {
    const { port } = await start()
    const connection = await RawConnection.open(port)
    const text = JSON.stringify(initializeMessage)
    connection.write(toPostHead(port, { 'content-length': String(text.length), expect: '100-continue' }))
    expect((await connection.readHead()).status).toBe(100)
    connection.write(text)
    expect((await connection.readResponse()).status).toBe(200)
  })

  test('gets the refusal without the body', async () => {
    const { port } = await start()
    const connection = await RawConnection.open(port)
    connection.write(toPostHead(port, { 'content-length': '9999999', expect: '100-continue' }))
    // Node says 100 before it hands the request over.
    let response = await connection.readResponse()
    if (response.status === 100) response = await connection.readResponse()
    expect(response.status).toBe(413)
  })
})

describe('HTTP/1.0', () => {
  test('gets JSON and event streams, ended by the end of the connection', async () => {
    const { port, url } = await start({ say: (_args, extra) => report(extra, 'hello').then(() => 'said') })
    const client = await McpClient.open(url)
    for (const [name, expected] of [
      ['echo', '"text":"hi"'],
      ['say', '"text":"said"'],
    ] as const) {
      const connection = await RawConnection.open(port)
      const chunks: Buffer[] = []
      connection.socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      const post = toPost(port, client.callMessage(name, { text: 'hi' }), client.headers)
      connection.write(post.replace('HTTP/1.1', 'HTTP/1.0'))
      await connection.closed
      const received = Buffer.concat(chunks).toString()
      expect(received).toContain(expected)
      expect(received).not.toMatch(/transfer-encoding: chunked/i)
    }
  })
})

describe('a client that sends no more (TCP half-close)', () => {
  test.each([false, true])('does no harm, with httpAllowHalfOpen %s', async (allowHalfOpen) => {
    const { faults } = watchProcess()
    const begun = deferred()
    const { port, url, server, endpoint, errors } = await start(
      {
        hold: async (_args, extra) => {
          await report(extra, 'begun')
          begun.resolve()
          await cancelled(extra)
        },
      },
      // Who sends no more is only missed by a write that fails.
      { keepAliveMs: 20 },
    )
    Object.assign(server, { httpAllowHalfOpen: allowHalfOpen })
    const client = await McpClient.open(url)

    const quick = await RawConnection.open(port, true)
    quick.write(toPost(port, client.callMessage('echo', { text: 'hi' }), client.headers))
    quick.socket.end()
    if (allowHalfOpen) expect((await quick.readResponse()).body).toContain('"text":"hi"')
    await quick.closed

    const midStream = await RawConnection.open(port, true)
    midStream.write(toPost(port, client.callMessage('hold'), client.headers))
    await begun.promise
    midStream.socket.end()
    // Node ends its side too, unless it was told to allow this: then the stream goes on to whoever still reads.
    if (allowHalfOpen) midStream.socket.destroy()
    await midStream.closed

    const midBody = await RawConnection.open(port, true)
    midBody.write(toPostHead(port, { ...client.headers, 'content-length': '100' }).concat('{'))
    midBody.socket.end()
    await midBody.closed

    await settle(endpoint)
    expect((await client.post(ping)).status).toBe(200)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })
})

describe('a client that left before the handler ran', () => {
  /** Runs a handler only when the client is gone; settles as it does. */
  async function leaveBefore(
    run: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
    request: (port: number) => string,
    readsBody = false,
  ): Promise<void> {
    const outcome = deferred<Promise<void>>()
    const { port } = await listen((incoming, response) => {
      if (readsBody) incoming.resume()
      response.once('close', () => outcome.resolve(run(incoming, response)))
    })
    const connection = await RawConnection.open(port)
    connection.write(request(port))
    // Node closes its side too.
    connection.socket.end()
    await outcome.promise
  }

  test.each(['POST', 'GET', 'DELETE'])('does not leave %s hanging', async (method) => {
    const { url, endpoint, errors } = await start()
    const { headers } = await McpClient.open(url)
    const handle = toNodeHandler(endpoint)
    const settled = leaveBefore(handle, (port) => {
      if (method === 'POST') return toPost(port, ping, headers)
      return toHead(method, '/mcp', { host: 'localhost', accept: acceptBoth, ...headers })
    })
    await within(1_000, settled)
    expect(errors).toEqual([])
  })

  test('abandons a call whose body was parsed by then', async () => {
    const stopped = deferred()
    const begun = deferred()
    const { url, endpoint } = await start(
      {
        hold: async (_args, extra) => {
          begun.resolve()
          await cancelled(extra)
          stopped.resolve()
        },
      },
      { response: 'json' },
    )
    const client = await McpClient.open(url)
    const handle = toNodeHandler(endpoint)
    const call = client.callMessage('hold')
    const run = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      // The call's own reply is awaited below.
      void handle(Object.assign(request, { body: call }), response)
    }
    await leaveBefore(run, (port) => toPost(port, call, client.headers), true)
    await begun.promise
    await within(2_000, stopped.promise)
  })
})

describe('slow bodies', () => {
  test('do not hold up anybody else, and are read to their end', async () => {
    const { port, url, endpoint } = await start()
    const text = JSON.stringify(initializeMessage)
    const drips = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(port)))
    for (const drip of drips) drip.write(toPostHead(port, { 'content-length': String(text.length) }))
    for (const byte of text.slice(0, -1)) {
      for (const drip of drips) drip.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'quick' })).toBe('quick')
    expect(endpoint.stats().sessions).toBe(1)
    for (const drip of drips) drip.write(text.slice(-1))
    for (const drip of drips) expect((await drip.readResponse()).status).toBe(200)
    expect(endpoint.stats().sessions).toBe(21)
  })

  test('wait without an answer until they are complete, while others are served', async () => {
    const { port, url } = await start()
    const drip = await RawConnection.open(port)
    const text = JSON.stringify(initializeMessage)
    drip.write(toPostHead(port, { 'content-length': String(text.length) }) + text.slice(0, -1))
    const client = await McpClient.open(url)
    for (let i = 0; i < 20; i++) expect((await client.post(ping)).status).toBe(200)
    drip.write(text.slice(-1))
    expect((await drip.readResponse()).status).toBe(200)
  })
})

describe('shutting down', () => {
  interface Script {
    readonly child: ChildProcess
    readonly exited: Promise<unknown>
    /** The first that it printed. */
    readonly line: string
  }

  /** Runs an ES module in a process of its own, with the endpoint and what it takes to serve one imported. */
  async function runScript(script: string): Promise<Script> {
    const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    const imports = `
      import { createServer } from 'node:http'
      import { createEndpoint } from ${source('../src/index.ts')}
      import { toNodeHandler } from ${source('../src/node/index.ts')}
      import { Server } from '@modelcontextprotocol/sdk/server/index.js'
    `
    const args = ['--import', 'tsx', '--input-type=module', '--eval', imports + script]
    const cwd = fileURLToPath(new URL('..', import.meta.url))
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return { child, exited, line: line.toString().trim() }
  }

  test('closes connections with each answer while it drains', async () => {
    const finish = deferred()
    const begun = deferred()
    const { url, endpoint } = await start(
      {
        hold: async () => {
          begun.resolve()
          await finish.promise
          return 'done'
        },
      },
      { upgradeAfterMs: 10_000 },
    )
    const agent = new Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    const client = await McpClient.open(url, {}, agent)
    const running = client.call('hold')
    await begun.promise
    const closed = endpoint.close({ drainMs: 5_000 })
    const refused = await client.post(ping)
    expect([refused.status, refused.headers.connection]).toEqual([503, 'close'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    await refused.text()
    finish.resolve()
    const reply = await running
    expect(reply.headers.connection).toBe('close')
    expect(toText(await reply.answer())).toBe('done')
    await closed
  })

  test('lets the process exit after endpoint.close() and server.close()', async () => {
    const script = `
      import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
      const endpoint = createEndpoint({
        server: () => {
          const server = new Server({ name: 'child', version: '1' }, { capabilities: { tools: {} } })
          server.setRequestHandler(CallToolRequestSchema, () => new Promise(() => undefined))
          return server
        },
      })
      const server = createServer(toNodeHandler(endpoint)).listen(0, '127.0.0.1', () => {
        console.log(server.address().port)
      })
      process.once('SIGTERM', async () => {
        await endpoint.close({ drainMs: 50 })
        server.close()
      })
    `
    const { child, exited, line } = await runScript(script)
    const agent = new Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    const client = await McpClient.open(`http://127.0.0.1:${line}/mcp`, {}, agent)
    const standalone = await client.get()
    const running = await client.call('hold')
    expect(running.isStream).toBe(true)
    // Refused, and gone before its body came.
    const refused = await RawConnection.open(Number(line))
    refused.write(toPostHead(Number(line), { 'content-length': '1000', origin: 'https://evil.example' }))
    expect((await refused.readResponse()).status).toBe(403)
    refused.socket.destroy()
    const asked = performance.now()
    child.kill('SIGTERM')
    expect(await running.answer()).toMatchObject({ error: { message: 'The server is shutting down' } })
    await standalone.events.ended
    expect(await exited).toEqual([0, null])
    expect(performance.now() - asked).toBeLessThan(2_000)
  })

  test('an endpoint alone, with sessions in it, keeps no process alive', async () => {
    const script = `
      const endpoint = createEndpoint({ server: () => new Server({ name: 'child', version: '1' }, { capabilities: {} }) })
      const server = createServer(toNodeHandler(endpoint)).listen(0, '127.0.0.1', async () => {
        const response = await fetch('http://127.0.0.1:' + server.address().port, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: '${acceptBoth}', connection: 'close' },
          body: ${JSON.stringify(JSON.stringify(initializeMessage))},
        })
        await response.text()
        console.log(response.status, endpoint.stats().sessions)
        server.close()
      })
    `
    const { exited, line } = await runScript(script)
    expect(line).toBe('200 1')
    expect(await exited).toEqual([0, null])
  })
})

describe('HTTP/2', () => {
  interface H2Started extends WatchedEndpoint {
    readonly client: Http2Client
    /** Resolves when the server knows that its first connection is closed. */
    readonly closed: Promise<void>
  }

  async function startH2(tools: Record<string, Tool> = {}, options: Partial<EndpointOptions> = {}): Promise<H2Started> {
    const watched = watchedEndpoint(tools, options)
    // The compatibility API behaves as Node's own request and response, but has types of its own.
    const server = createHttp2Server(toNodeHandler(watched.endpoint) as never)
    const closed = deferred()
    server.once('session', (session) => session.once('close', closed.resolve))
    const { port } = await listen(server)
    return { ...watched, client: new Http2Client(port), closed: closed.promise }
  }

  const callMessage = (name: string, id = 1): unknown => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: { text: 'hi' } },
  })

  test('serves a session, without a warning of Node', async () => {
    const { faults } = watchProcess()
    const { client, endpoint, errors } = await startH2({
      say: (_args, extra) => report(extra, 'hello').then(() => 'said'),
    })
    const headers = await client.open()

    const jsonReply = await client.ask('POST', headers, callMessage('echo'))
    expect(jsonReply.headers['content-type']).toBe('application/json')
    expect(await jsonReply.text()).toContain('"text":"hi"')

    const streamReply = await client.ask('POST', headers, callMessage('say'))
    expect(streamReply.headers['content-type']).toBe('text/event-stream')
    const text = await streamReply.text()
    expect(text).toContain('"data":"hello"')
    expect(text).toContain('"text":"said"')

    const standalone = await client.ask('GET', headers)
    expect(standalone.status).toBe(200)
    const came = once(standalone.stream, 'data')
    await came
    const notified = new Promise<string>((resolve) => {
      standalone.stream.on('data', (chunk: string) => chunk.includes('list_changed') && resolve(chunk))
    })
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    await notified
    standalone.stream.close(constants.NGHTTP2_CANCEL)

    const refused = await client.ask('PUT', headers)
    expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, POST, DELETE'])
    await refused.text()
    const foreign = await client.ask('POST', { ...headers, origin: 'https://evil.example' }, ping)
    expect(foreign.status).toBe(403)
    await foreign.text()
    const ended = await client.ask('DELETE', headers)
    expect([ended.status, await ended.text()]).toEqual([204, ''])
    await settle(endpoint, 0)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('checks the name in :authority as the Host', async () => {
    const { client } = await startH2()
    const refused = await client.ask('POST', { ':authority': 'evil.example' }, initializeMessage)
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('Host not allowed')
  })

  test('carries many calls on one connection at once', async () => {
    const finish = deferred()
    const { client } = await startH2({ slow: () => finish.promise.then(() => 'slow') })
    const headers = await client.open()
    const slow = Array.from({ length: 20 }, (_value, i) => client.ask('POST', headers, callMessage('slow', i + 100)))
    const quick = await client.ask('POST', headers, callMessage('echo'))
    expect(await quick.text()).toContain('"text":"hi"')
    finish.resolve()
    for (const [i, reply] of (await Promise.all(slow)).entries())
      expect(await reply.text()).toContain(`"id":${i + 100}`)
  })

  test('refuses a body that is too large, and goes on', async () => {
    const { client } = await startH2({}, { maxBodyBytes: 1_000 })
    const large = await client.ask('POST', {}, { ...initializeMessage, padding: 'x'.repeat(200_000) })
    expect(large.status).toBe(413)
    await large.text()
    await client.open()
  })

  test('keeps the stream of a GET open beyond the time that the rest of a body has', async () => {
    const { client, endpoint } = await startH2()
    const headers = await client.open()
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { stream } = await client.ask('GET', headers)
    await once(stream, 'data')
    vi.advanceTimersByTime(31_000)
    const came = once(stream, 'data')
    await endpoint.notify({ method: 'notifications/tools/list_changed' })
    expect(String(await came)).toContain('list_changed')
  })

  test('refuses a body that does not end in time, closes its stream, and goes on', async () => {
    const { faults } = watchProcess()
    const { client, endpoint } = await startH2({}, { bodyTimeoutMs: 100 })
    const stream = client.begin('POST')
    stream.write('{')
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect(head).toMatchObject({ ':status': 408 })
    expect(head).not.toHaveProperty('connection')
    stream.resume()
    await once(stream, 'close')
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
    await client.open()
    expect(endpoint.stats()).toMatchObject({ sessions: 1, bodyBytes: 0 })
    expect(faults).toEqual([])
  })

  test('holds a flood back while its reader does not read', async () => {
    const { flood, sent, stopped } = flooding(50_000)
    const { client, endpoint } = await startH2({ flood })
    const headers = await client.open()
    const { stream } = await client.ask('POST', headers, callMessage('flood'))
    const held = await standstill(sent)
    expect(held).toBeGreaterThan(1)
    // What the log's budget lets wait, what Node's queue holds, and HTTP/2's window.
    expect(held).toBeLessThan(60)
    stream.close(constants.NGHTTP2_CANCEL)
    await stopped
    await settle(endpoint)
  })

  test.each(['stream', 'connection'])('notices that the client left: its %s was closed', async (what) => {
    const { faults } = watchProcess()
    const stopped = [deferred(), deferred()]
    const begun = deferred()
    const { client, endpoint, errors } = await startH2(
      {
        stream: async (_args, extra) => {
          await report(extra, 'begun')
          await cancelled(extra)
          stopped[0]?.resolve()
        },
        silent: async (_args, extra) => {
          begun.resolve()
          await cancelled(extra)
          stopped[1]?.resolve()
        },
      },
      { upgradeAfterMs: 10_000 },
    )
    const headers = await client.open()
    const standalone = await client.ask('GET', headers)
    const streaming = await client.ask('POST', headers, callMessage('stream'))
    const silent = client.begin('POST', headers)
    silent.end(JSON.stringify(callMessage('silent', 2)))
    await begun.promise
    if (what === 'connection') client.session.destroy()
    else for (const stream of [standalone.stream, streaming.stream, silent]) stream.close(constants.NGHTTP2_CANCEL)
    await within(2_000, Promise.all(stopped.map(({ promise }) => promise)))
    await settle(endpoint)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test.each(['stream', 'connection'])('forgets a GET whose %s was closed before its answer was there', async (what) => {
    const backplane = createMemoryBackplane()
    const first = await startH2({}, { backplane })
    const headers = await first.client.open()
    const { server, building, finish } = slowFactory()
    const second = await startH2({}, { backplane, server })
    const stream = second.client.begin('GET', headers)
    const closed = new Promise((resolve) => stream.once('close', resolve))
    await building
    if (what === 'connection') second.client.session.destroy()
    else stream.close(constants.NGHTTP2_CANCEL)
    await closed
    // The server side learns of it before anything that is sent after it.
    if (what === 'stream') await (await second.client.ask('PUT')).text()
    else await second.closed
    finish()
    await settle(second.endpoint)
    expect(second.errors).toEqual([])
  })
})
