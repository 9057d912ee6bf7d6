import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openSession, TestClient, toInitializeParams } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { TestServer } from '../../../test-support/in-process/test-server.ts'
import { createErrorPrinter } from '../src/http/error-source.ts'
import { createEndpoint, createMemoryBackplane, type EndpointOptions } from '../src/index.ts'

/** Opens a session, whatever comes of it; gives what was printed and what `onError` would get. */
async function open(options: Partial<EndpointOptions>, request: Partial<TestRequest> = {}) {
  const lines: string[] = []
  const spy = vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  onTestFinished(() => spy.mockRestore())
  const sources: string[] = []
  const body = { jsonrpc: '2.0', id: 1, method: 'initialize', params: toInitializeParams() }
  const ask = async (endpoint: ReturnType<typeof createEndpoint>) =>
    (await endpoint.handle(Object.assign(new TestRequest('POST', { body }), request))).status
  const silent = createEndpoint({ server: () => new TestServer(), ...options })
  const statuses = [await ask(silent), await ask(silent)]
  const told = createTestEndpoint({}, { ...options, onError: (_error, where) => sources.push(where) }).endpoint
  await ask(told)
  await ask(told)
  return { lines, statuses, sources }
}

function fail(message: string): () => never {
  return () => {
    throw new Error(message)
  }
}

const auth = { token: 't', clientId: 'c', scopes: [], extra: { sub: 'alice' } }
const shared = new TestServer()
const { sessions, bus } = createMemoryBackplane()
const store = (create: unknown) => ({
  sessions: { ...toMethods(sessions), create } as typeof sessions,
  events: {
    append: () => 'ok' as const,
    read: () => undefined,
    release: never,
    delete: () => undefined,
    stats: () => nothing,
  },
  bus: { publish: () => undefined, subscribe: () => () => bus.publish('', '') },
})

const never = () => undefined
const nothing = { sessions: 0, streams: 0, events: 0, bytes: 0 }

function toMethods({ get, update, takeOver, delete: remove, list }: typeof sessions) {
  return { get, update, takeOver, delete: remove, list, renewLease: () => false, hasLease: () => false }
}

describe('by default one line says', () => {
  test.each<[string, Partial<EndpointOptions>, number, string, string, Partial<TestRequest>?]>([
    ['that a factory throws', { server: fail('no database') }, 500, 'factory', 'Error: no database'],
    [
      'that a factory gives nothing',
      { server: (() => undefined) as never },
      500,
      'factory',
      'with a method connect, got undefined',
    ],
    [
      'that a server object is reused',
      { server: () => shared },
      500,
      'factory',
      'build a new MCP server object for each session',
    ],
    ['that auth throws', { auth: fail('no keys') }, 500, 'auth', 'Error: no keys'],
    ['that principal throws', { principal: fail('no name') }, 500, 'auth', 'Error: no name', { auth }],
    ['that a store fails', { backplane: store(fail('no disk')) }, 503, 'session-store', 'no disk'],
    [
      'that a store breaks its contract',
      { backplane: store(() => 'OK') },
      500,
      'session-store',
      'gave what it must not',
    ],
    [
      'that a server object never answers',
      { server: () => new TestServer({ initialize: () => new Promise(() => undefined) }), initializeTimeoutMs: 30 },
      500,
      'server',
      'within 30 ms',
    ],
  ])('%s, once, and onError replaces it', async (_what, options, status, source, text, request) => {
    const { lines, statuses, sources } = await open(options, request)
    expect(statuses).toContain(status)
    expect(lines).toEqual([
      expect.stringMatching(/^MCP endpoint, [^\n]+ \(once a minute; the option onError gets every error\)$/),
    ])
    expect(lines[0]).toContain(text)
    expect(new Set(sources)).toEqual(new Set([source]))
  })
})

test('what a client does wrong prints nothing', async () => {
  const spy = vi.spyOn(console, 'error')
  onTestFinished(() => spy.mockRestore())
  const endpoint = createEndpoint({ server: () => new TestServer() })
  const client = await openSession(endpoint)
  for (const body of ['{', '[]', { jsonrpc: '2.0', id: null }]) await client.post(body)
  await new TestClient(endpoint).call('ping')
  await client.delete()
  expect(spy).not.toHaveBeenCalled()
})

test('after a minute it is said again; of errors that all differ only so many are printed; no text breaks the line', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const lines: string[] = []
  const report = createErrorPrinter((line) => void lines.push(line))
  for (let i = 0; i < 100; i++) report(new Error(`row ${i}\nof a table`), 'server')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('Error: row 0 of a table at ')
  for (let i = 0; i < 100; i++) report(new Error('x'.repeat(i)), 'server')
  expect(lines).toHaveLength(20)
  vi.advanceTimersByTime(60_000)
  report(undefined, 'auth')
  expect(lines.at(-1)).toContain('authentication: undefined was thrown')
  expect(lines.every((line) => !/\p{Cc}/u.test(line) && line.length < 800)).toBe(true)
})

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'Expected options such as { server: () => new McpServer(…) }, got undefined'],
  ['a server object', new TestServer(), 'got an object of TestServer'],
  ['a factory', () => new TestServer(), 'Expected options such as { server: () => new McpServer(…) }, got a function'],
  [
    'a server object as server',
    { server: new TestServer() },
    'Expected server to be a function that builds a server object for each session, as () => new McpServer(…), got an object of TestServer',
  ],
  ['a class as server', { server: TestServer }, 'got the class TestServer'],
  ['null', null, 'Expected the options to be an object, got null'],
  [
    'a promise',
    Promise.resolve(),
    'Expected options such as { server: () => new McpServer(…) }, got an object of Promise',
  ],
])('%s in place of options is refused with a sentence that says what to pass', (_what, options, message) => {
  expect(() => createEndpoint(options as EndpointOptions)).toThrow(message)
})

test('takes no time by the square of what a client has written into an error', () => {
  const lines: string[] = []
  const print = createErrorPrinter((line) => lines.push(line))
  const startedAt = performance.now()
  print(new Error(`unknown client ${'\n'.repeat(60_000)}x`), 'factory')
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(lines).toEqual([expect.stringMatching(/: Error: unknown client x at .*error-printer\.test/)])
})
