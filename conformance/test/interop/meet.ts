import type { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { McpServer as McpServer2 } from '@modelcontextprotocol/server'
import {
  type Endpoint,
  type EndpointOptions,
  type EndpointStats,
  type SessionContext,
  sessionKey,
} from '@throughline/mcp-http-core'
import { expect, it, vi } from 'vitest'
import { type AdapterName, startFixture } from '../../mounts/index.ts'
import { patienceMs } from '../../src/client/waiting.ts'
import { createFixture } from '../../src/fixture/index.ts'
import { type ClientKind, type ConnectOptions, clientKinds, type InteropClient } from './clients.ts'
import { type GatedProxy, openGatedProxy } from './gated-proxy.ts'
import { createServerSdk2, type Probes } from './server-sdk2.ts'

type AnyMcpServer = McpServer1 | McpServer2

export interface ServerKind {
  readonly name: string
  readonly sdk: 1 | 2
  readonly adapter: AdapterName
  readonly response: 'auto' | 'sse'
  /** One factory per mount: its servers share what the fixture shares. */
  createFactory(): () => AnyMcpServer
}

/** What one test runs on: an endpoint of its own, behind a proxy, and a client that has connected to it. */
export interface Meeting {
  readonly client: InteropClient
  readonly endpoint: Endpoint
  /** Straight to the server. */
  readonly url: string
  readonly proxy: GatedProxy
  /** What the factory was told, call by call. */
  readonly built: readonly SessionContext[]
  /** Connects another client of the same kind; it is closed with the test. */
  connect(options?: ConnectOptions): Promise<InteropClient>
  /** Ends the sessions of these clients as a client does, and checks that nothing of them is left. */
  leave(...clients: InteropClient[]): Promise<void>
}

export interface MeetOptions extends ConnectOptions {
  readonly endpoint?: Partial<EndpointOptions>
  /** Touches each server object before it is connected. */
  readonly prepare?: (server: AnyMcpServer) => void
}

export interface Pair {
  readonly name: string
  readonly clientKind: ClientKind
  readonly serverKind: ServerKind
}

function createFactorySdk2(): () => AnyMcpServer {
  const probes: Probes = new Map()
  return () => createServerSdk2(probes)
}

function serverKind(sdk: 1 | 2, adapter: AdapterName, response: 'auto' | 'sse'): ServerKind {
  const createFactory = sdk === 1 ? () => createFixture().createServer : createFactorySdk2
  return { sdk, adapter, response, createFactory, name: `SDK ${sdk}.x server, ${adapter}, ${response}` }
}

// The mount and the shape know nothing of the server behind them: for the second generation two of the four will do.
export const serverKinds: readonly ServerKind[] = [
  serverKind(1, 'node', 'auto'),
  serverKind(1, 'node', 'sse'),
  serverKind(1, 'express', 'auto'),
  serverKind(1, 'express', 'sse'),
  serverKind(2, 'node', 'auto'),
  serverKind(2, 'express', 'sse'),
]

/** Each official client with each server. */
export const pairs: readonly Pair[] = serverKinds.flatMap((serverKind) =>
  clientKinds.map((clientKind) => ({ clientKind, serverKind, name: `${clientKind.name} with ${serverKind.name}` })),
)

/**
 * Declares a test that starts a server, connects a client, and in the end terminates the session: nothing of it may
 * be left on the server, and nothing may have gone wrong unseen.
 */
export function testMeeting(
  { clientKind, serverKind }: Pair,
  name: string,
  body: (meeting: Meeting) => Promise<void>,
  options: MeetOptions = {},
): void {
  // Waiting is most of what these tests do.
  it.concurrent(name, async () => {
    const errors: unknown[] = []
    const built: SessionContext[] = []
    const factory = serverKind.createFactory()
    const { url, endpoint, close } = await startFixture({
      adapter: serverKind.adapter,
      // Sessions are what this is about.
      era: '2025',
      response: serverKind.response,
      retryMs: 20,
      onError: (error, where) => errors.push({ where, error }),
      ...options.endpoint,
      server: (context) => {
        built.push(context)
        const server = factory()
        options.prepare?.(server)
        return server
      },
    })
    const proxy = await openGatedProxy(url)
    const clients: InteropClient[] = []
    const connect = async (connectOptions: ConnectOptions = options) => {
      const client = await clientKind.connect(proxy.url, connectOptions)
      clients.push(client)
      return client
    }
    const leave = async (...leaving: InteropClient[]) => {
      for (const client of leaving) {
        // Closed, it refuses that too; the session is over on this node anyway.
        if (!endpoint.closing) await client.terminate()
        await client.close()
      }
      await expectNothingHeld(endpoint)
    }
    try {
      const client = await connect()
      await body({ client, endpoint, url, proxy, built, connect, leave })
      await leave(...clients)
      expect(errors).toEqual([])
    } finally {
      for (const client of clients) await client.close()
      await proxy.close()
      await close()
    }
  })
}

/** Waits until what is asserted holds. For what no event tells; `expect.poll` knows no concurrent tests. */
export async function eventually(assertion: () => unknown): Promise<void> {
  await vi.waitFor(assertion, { timeout: patienceMs, interval: 10 })
}

/** Waits until the endpoint counts that many; others are not looked at. */
export async function expectStats(endpoint: Endpoint, expected: Partial<EndpointStats>): Promise<void> {
  await eventually(() => expect(endpoint.stats()).toMatchObject(expected))
}

/** Waits until the endpoint holds nothing any more. What a closed one has stored stays: others may share the store. */
export async function expectNothingHeld(endpoint: Endpoint): Promise<void> {
  const nothing = { sessions: 0, connections: 0, streams: 0, calls: 0, questions: 0, detachedCalls: 0 }
  const log = { sessions: 0, streams: 0, events: 0, bytes: 0 }
  await expectStats(endpoint, endpoint.closing ? nothing : { ...nothing, log })
}

export function keyOf({ sessionId }: InteropClient): Promise<string> {
  if (sessionId === undefined) throw new Error('Expected the client to have a session')
  return sessionKey(sessionId)
}

/** Waits until the client's standalone stream is open. */
export async function standaloneOpen({ sent }: InteropClient): Promise<void> {
  await sent.first(({ method, status }) => method === 'GET' && status === 200)
}

/** Calls a tool of a client's session past the client and its connections. */
export async function callDirectly(url: string, client: InteropClient, name: string, args: object): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': client.sessionId ?? '',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'direct', method: 'tools/call', params: { name, arguments: args } }),
    signal: AbortSignal.timeout(patienceMs),
  })
  const answer = await response.text()
  if (!response.ok || !answer.includes('"result"')) throw new Error(`${response.status}: ${answer}`)
}

/** 1 to `to`. */
export function upTo(to: number): number[] {
  return Array.from({ length: to }, (_, index) => index + 1)
}
