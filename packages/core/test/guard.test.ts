import { describe, expect, test } from 'vitest'
import { openSession, toInitializeParams, toJson } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { type EndpointOptions, toMountable } from '../src/index.ts'

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams() }

async function statusOf(
  headers: Record<string, string>,
  options: Parameters<typeof createTestEndpoint>[1] = {},
  localAddress = '127.0.0.1',
): Promise<number> {
  const { endpoint } = createTestEndpoint({}, options)
  const request = new TestRequest('POST', { headers, body: initialize, localAddress })
  const { status } = await endpoint.handle(request)
  // A request that is refused by its head has no body read and opens nothing.
  expect(request.bodyRead).toBe(status === 200)
  expect(endpoint.stats().sessions).toBe(status === 200 ? 1 : 0)
  return status
}

describe('Host, on a loopback address', () => {
  test.each([
    'localhost',
    'localhost:3000',
    'LOCALHOST:1',
    'localhost.',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.1.2.3',
    '[::1]',
    '[::1]:3000',
    'mcp.example.com',
    'MCP.Example.com:8080',
    'exact.example:8443',
  ])('%s passes', async (host) => {
    expect(await statusOf({ host }, { allowedHosts: ['mcp.example.com', 'exact.example:8443'] })).toBe(200)
  })

  test.each([
    'evil.example.com',
    'localhost.evil.com',
    'evil-localhost',
    '127.0.0.1.evil.com',
    '127.0.0.1@evil.com',
    'localhost@evil.com',
    'evil.com#localhost',
    'localhost:3000:3000',
    'localhost:',
    'localhost:x',
    '[::1',
    '::1',
    '[::2]',
    '[::1].evil.com',
    '2130706433',
    '0x7f.1',
    '',
    ' ',
    'a b',
    '[',
    'local\u212aost',
    'exact.example',
    'exact.example:80',
    'sub.mcp.example.com',
    'x'.repeat(300),
  ])('%j is refused', async (host) => {
    expect(await statusOf({ host }, { allowedHosts: ['mcp.example.com', 'exact.example:8443'] })).toBe(403)
  })

  test.each(['::1', '::ffff:127.0.0.1', '127.8.8.8'])('%s is one', async (address) => {
    expect(await statusOf({ host: 'evil.com' }, {}, address)).toBe(403)
  })

  test('any Host passes on another address, and X-Forwarded-Host says nothing', async () => {
    expect(await statusOf({ host: 'whatever.example' }, {}, '10.0.0.5')).toBe(200)
    expect(await statusOf({ host: 'evil.com', 'x-forwarded-host': 'localhost' })).toBe(403)
  })
})

describe('Origin', () => {
  const options = {
    allowedOrigins: ['https://App.example.com', 'vscode-webview://abc'],
    allowedHosts: ['public.example'],
  }

  test.each<[Record<string, string>, string?]>([
    [{ origin: 'http://localhost:3000' }],
    [{ origin: 'http://127.0.0.1:3000' }],
    [{ origin: 'HTTP://LOCALHOST:3000' }],
    [{ origin: 'https://app.example.com' }],
    [{ origin: 'https://app.example.com:443', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'vscode-webview://abc' }],
    [{ host: 'public.example', origin: 'https://public.example', 'sec-fetch-site': 'same-origin' }, '10.0.0.5'],
    [{ host: 'other.example' }, '10.0.0.5'],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'sec-fetch-site': 'same-origin' }],
  ])('%j passes', async (headers, address) => {
    expect(await statusOf(headers, options, address)).toBe(200)
  })

  test.each<[Record<string, string>, string?]>([
    ...[
      'http://evil.example.com',
      'null',
      'NULL',
      '',
      'garbage',
      'http://',
      '//localhost:3000',
      'localhost:3000',
      'http://localhost:3001',
      'http://localhost',
      'http://localhost.evil.com:3000',
      'http://evil.com/?localhost:3000',
      'http://localhost:3000@evil.com',
      'http://localhost:3000/',
      'http://localhost:3000.evil.com',
      'http://127.0.0.1.evil.com',
      'http://app.example.com',
      'https://app.example.com:444',
      'https://xapp.example.com',
      'https://app.example.com.evil.com',
      'http://localhost:3000, http://evil.com',
      'file://',
      'x'.repeat(8_192),
      'ftp://localhost:3000',
      `${'a'.repeat(40)}://localhost:3000`,
    ].map((origin): [Record<string, string>] => [{ origin }]),
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ origin: 'http://localhost:3000', 'sec-fetch-site': 'cross-site' }],
    // A page whose name was rebound: both names are equal, so neither proves anything.
    [{ host: 'rebound.example', origin: 'http://rebound.example' }, '10.0.0.5'],
    [{ host: 'rebound.example', 'sec-fetch-site': 'same-origin' }, '10.0.0.5'],
  ])('%j is refused', async (headers, address) => {
    expect(await statusOf(headers, options, address)).toBe(403)
  })

  test('is looked at for GET and DELETE too, and nothing happens to the session', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint)
    for (const method of ['GET', 'DELETE', 'POST']) {
      const reply = await endpoint.handle(
        client.request(method, { headers: { origin: 'http://evil.com' }, body: '{bad' }),
      )
      expect(reply.status).toBe(403)
      expect(toJson(reply)).not.toHaveProperty('id')
    }
    expect((await client.call('ping')).status).toBe(200)
  })
})

describe('allowedOrigins', () => {
  const auth = () => undefined

  async function ask(
    allowedOrigins: unknown,
    headers: Record<string, string>,
    more: Record<string, unknown> = {},
  ): Promise<{ status: number; errors: unknown[] }> {
    const { endpoint, errors } = createTestEndpoint({}, { allowedOrigins, ...more } as never)
    const { status } = await endpoint.handle(new TestRequest('POST', { headers, body: initialize }))
    return { status, errors }
  }

  test('may be a function, which is asked for origins alone, in the form in which they can be compared', async () => {
    const asked: string[] = []
    const ofOurs = (origin: string) => {
      asked.push(origin)
      return origin.endsWith('.example.com')
    }
    const crossSite = { 'sec-fetch-site': 'cross-site' }
    expect(await ask(ofOurs, { origin: 'HTTPS://A.Example.com:443', ...crossSite })).toEqual({
      status: 200,
      errors: [],
    })
    expect(await ask(ofOurs, { origin: 'https://evil.example' })).toEqual({ status: 403, errors: [] })
    expect(await ask(ofOurs, { origin: 'null' })).toEqual({ status: 403, errors: [] })
    expect(await ask(ofOurs, {})).toEqual({ status: 200, errors: [] })
    expect(asked).toEqual(['https://a.example.com', 'https://evil.example'])
  })

  test('the own origin passes whatever the function says', async () => {
    expect(await ask(() => false, { origin: 'http://localhost:3000' })).toEqual({ status: 200, errors: [] })
  })

  test.each<[string, (origin: string) => unknown]>([
    ['gives a promise', async () => true],
    ['gives a promise that rejects', () => Promise.reject(new Error('too late'))],
    ['gives a text', () => 'yes'],
    ['gives nothing', () => undefined],
  ])('a function that %s refuses, and is reported', async (_what, allowed) => {
    const { status, errors } = await ask(allowed, { origin: 'https://app.example.com' })
    expect([status, errors.length]).toEqual([403, 1])
    expect(String(errors[0])).toContain('Expected allowedOrigins to return true or false at once')
  })

  test('a function that throws refuses, and is reported', async () => {
    const fault = new Error('broken')
    const broken = () => {
      throw fault
    }
    expect(await ask(broken, { origin: 'https://app.example.com' })).toEqual({ status: 403, errors: [fault] })
  })

  test.each([
    [{ origin: 'https://any.example', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
  ])("'*' with auth lets every page in: %j", async (headers) => {
    expect(await ask('*', headers, { auth })).toEqual({ status: 200, errors: [] })
  })

  test("'*' spares no check of the Host", async () => {
    expect(await ask('*', { host: 'rebound.example', origin: 'http://rebound.example' }, { auth })).toEqual({
      status: 403,
      errors: [],
    })
  })

  test("'*' without auth is refused at start-up", () => {
    expect(() => createTestEndpoint({}, { allowedOrigins: '*' })).toThrow(
      new TypeError("Expected auth to be set with allowedOrigins '*', or every web page could use this server"),
    )
  })
})

describe('what a refusal says', () => {
  async function textOf(headers: Record<string, string>, method = 'POST', localAddress = '::1'): Promise<string> {
    const { endpoint } = createTestEndpoint()
    const reply = await endpoint.handle(new TestRequest(method, { headers, body: initialize, localAddress }))
    expect(reply.status).toBe(403)
    return (toJson(reply).error as { message: string }).message
  }

  test('which Host came, and what to set', async () => {
    expect(await textOf({ host: 'mcp.example.com:8080' })).toBe(
      'Host not allowed: "mcp.example.com:8080" came to a loopback address; if it names this server, list it in allowedHosts',
    )
    expect(await textOf({ host: '' })).toContain('Host not allowed: "" came')
  })

  test('which Origin came, and what to set', async () => {
    expect(await textOf({ origin: 'https://app.example.com' })).toBe(
      'Origin not allowed: "https://app.example.com"; list it in allowedOrigins, or, if it is this server, its host in allowedHosts',
    )
    expect(await textOf({ origin: 'null' })).toBe(
      'Origin not allowed: "null" names no website that allowedOrigins could list',
    )
  })

  test.each(['POST', 'GET'])('that a page of another site names no Origin, for a %s', async (method) => {
    expect(await textOf({ 'sec-fetch-site': 'cross-site' }, method)).toBe(
      'Page not allowed: Sec-Fetch-Site is "cross-site", and there is no Origin that could be listed in allowedOrigins; ' +
        'browsers send one with every POST, unless a proxy takes it away',
    )
  })

  test('that the Host of a page of this server must be known', async () => {
    expect(await textOf({ host: 'mcp.example.com', 'sec-fetch-site': 'same-origin' }, 'POST', '10.0.0.5')).toBe(
      'Host not allowed: "mcp.example.com" must be listed in allowedHosts before its own pages may call this server',
    )
  })

  test('nothing but printable ASCII of what came, and not much of it', async () => {
    const text = await textOf({ origin: `http://\u001b[2J\n\u202e${'x'.repeat(8_000)}` })
    expect(text).toContain('"http://?[2J??xxx')
    expect(text.length).toBeLessThan(250)
    expect(await textOf({ host: `evil\r\n${'é'.repeat(300)}` })).toMatch(/^Host not allowed: "evil\?{96}" came/)
  })
})

describe('the other headers of a POST', () => {
  test.each([
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['Application/JSON;', 200],
    ['application/json;charset="UTF-8"', 200],
    ['text/plain', 415],
    ['text/plain; a=application/json', 415],
    ['application/json-evil', 415],
    ['application/jsonx', 415],
    ['', 415],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/form-data', 415],
    ['application/json; charset=utf-16le', 415],
  ])('Content-Type %j gives %i', async (contentType, status) => {
    expect(await statusOf({ 'content-type': contentType })).toBe(status)
  })

  test.each([
    ['text/event-stream, application/json', 200],
    ['application/json', 200],
    ['text/event-stream', 200],
    ['Application/JSON, Text/Event-Stream', 200],
    ['application/json;q=0.5,text/event-stream;q=0.9', 200],
    ['*/*', 200],
    ['application/*', 200],
    ['text/html, */*;q=0.1', 200],
    ['text/html', 406],
    ['application/jsonx, text/event-streamx', 406],
    ['', 406],
    ['application/json;q=0', 406],
    ['*/*;q=0', 406],
  ])('Accept %j gives %i', async (accept, status) => {
    expect(await statusOf({ accept })).toBe(status)
  })

  test('what the client does not accept is never sent', async () => {
    const { endpoint } = createTestEndpoint()
    const client = await openSession(endpoint)
    const typeFor = async (accept: string) =>
      (await client.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { headers: { accept } })).headers['content-type']
    expect(await typeFor('application/json')).toBe('application/json')
    expect(await typeFor('application/json, text/event-stream;q=0')).toBe('application/json')
    expect(await typeFor('text/event-stream')).toBe('text/event-stream')
    expect(await typeFor('text/event-stream, */*;q=0')).toBe('text/event-stream')
  })

  test.each([
    ['gzip', 415],
    ['identity', 200],
  ])('Content-Encoding %s gives %i', async (coding, status) => {
    expect(await statusOf({ 'content-encoding': coding })).toBe(status)
  })

  test('a declared length above the limit is refused before it is read', async () => {
    expect(await statusOf({ 'content-length': '4194305' })).toBe(413)
  })

  test('methods that are not served get 405 with Allow', async () => {
    const { endpoint } = createTestEndpoint()
    for (const method of ['HEAD', 'PUT', 'PATCH', 'OPTIONS', 'QUERY', 'FOO']) {
      expect(await endpoint.handle(new TestRequest(method))).toMatchObject({
        status: 405,
        headers: { allow: 'GET, POST, DELETE' },
      })
    }
  })
})

describe('options', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ server: undefined }, 'Expected server to be a function that builds a server object for each session'],
    [{ keepAliveMs: '15s' }, 'Expected keepAliveMs to be a whole number from 0 to 2147483647, got "15s" (string)'],
    [{ maxSessions: 0 }, 'Expected maxSessions to be a whole number from 1 to 2147483647, got 0 (number)'],
    [{ stallMs: Number.NaN }, 'Expected stallMs to be a whole number from 1 to 2147483647, got NaN (number)'],
    [{ retryMs: 2 ** 31 - 1 }, 'Expected retryMs to be a whole number from 0 to 1000000000, got 2147483647 (number)'],
    [{ leaseMs: 1 }, 'Expected leaseMs to be a whole number from 100 to 2147483647, got 1 (number)'],
    [
      { backplane: [] },
      'Expected backplane to be an object of stores, such as redisBackplane(client), got [] (object)',
    ],
    [
      { backplane: new Date() },
      'Expected backplane to be an object of stores, such as redisBackplane(client), got an object of Date (object)',
    ],
    [{ response: 'SSE' }, "Expected response to be 'auto', 'sse' or 'json', got \"SSE\" (string)"],
    [{ sessions: {} }, 'Expected sessions to be true or false, got {} (object)'],
    [{ allowedOrigins: ['*'] }, 'Expected each of allowedOrigins to be an origin'],
    [{ allowedHosts: ['https://x.example'] }, 'Expected each of allowedHosts to be a host'],
    [{ allowedHosts: 'x.example' }, 'Expected allowedHosts to be an array of strings'],
    [{ backplane: { session: 1 } }, 'Unknown part of the backplane: session'],
    [{ keepAlive: 1 }, 'Unknown option: keepAlive (known are server, sessions, eras, '],
    [{ auth: true }, 'Expected auth to be a function, such as createBearerAuth(…), got true (boolean)'],
    [
      { backplane: 'redis://127.0.0.1' },
      'Expected backplane to be an object of stores, such as redisBackplane(client)',
    ],
  ])('%j is refused at start-up', (options, message) => {
    expect(() => createTestEndpoint({}, options)).toThrow(message)
  })

  test.each<[string, unknown, string]>([
    ['a request, which `mcp` gets that was mounted in place of `mcp(…)`', new TestRequest('POST'), 'TestRequest'],
    [
      "Koa's context, which `mcp` gets there",
      Object.assign(Object.create(Object.create({})), { request: {} }),
      '{"request":{}}',
    ],
    ['an app', Object.assign(() => undefined, { handle: () => undefined }), 'a function'],
    ['a server object', { connect: () => undefined }, '{}'],
    ['nothing', undefined, 'undefined'],
  ])('%s in place of options is refused with what it is', (_, given, shown) => {
    const mount = () => toMountable(given as EndpointOptions)
    expect(mount).toThrow(/^Expected (plain options|options such as \{ server: )/)
    expect(mount).toThrow(`got ${given instanceof TestRequest ? 'an object of ' : ''}${shown} (`)
  })
})
