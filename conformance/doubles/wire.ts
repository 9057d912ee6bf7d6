import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Defect } from './doubles.ts'

export type RequestId = string | number
export type Json = Readonly<Record<string, unknown>>

/** One JSON-RPC message whose shape was checked. Which kind it is, its members say. */
export interface Message {
  readonly jsonrpc: '2.0'
  readonly id?: RequestId
  readonly method?: string
  readonly params?: Json
  readonly result?: Json
  readonly error?: Json
}

/** How the server is set up. Every rule that a double breaks asks `defects` at the place where it is applied. */
export interface Settings {
  readonly defects: ReadonlySet<Defect>
  readonly upgradeAfterMs: number
  readonly sessionIdleMs: number
  readonly keepAliveMs: number
  readonly retryMs: number
  readonly maxBodyBytes: number
  readonly maxSessions: number
  /** How long the head of a request, and then its body, may take to arrive. */
  readonly receiveTimeoutMs: number
  /** Bytes of events kept per stream. Notifications make room, oldest first; answers and requests stay. */
  readonly maxLogBytes: number
  /** No session ids: each request stands for itself. */
  readonly stateless: boolean
  /** Speaks 2026-07-28 and no earlier revision. */
  readonly modernOnly: boolean
  /** Speaks HTTP/2 without TLS too. */
  readonly http2: boolean
  /** Ports of proxies in front of it: pages from there are its own. */
  readonly publicPorts: ReadonlySet<number>
  /** Asks for a bearer token with every request. `issueTokens` makes them. */
  readonly auth: boolean
}

/** Why a request gets no answer from MCP. Thrown where it is found, written in one place. */
export class Refusal extends Error {
  readonly status: number
  readonly code: number
  readonly headers: Readonly<Record<string, string>>
  readonly requestId: RequestId | undefined

  constructor(
    status: number,
    message: string,
    more: { code?: number; headers?: Readonly<Record<string, string>>; requestId?: RequestId | undefined } = {},
  ) {
    super(message)
    this.status = status
    this.code = more.code ?? -32000
    this.headers = more.headers ?? {}
    this.requestId = more.requestId
  }
}

/** All values of a header, one per line of the request. */
export function headerLines(request: IncomingMessage, name: string, defects: ReadonlySet<Defect>): string[] {
  const isCapital = defects.has('header-names-in-capitals-ignored') && request.rawHeaders.includes(name.toUpperCase())
  return isCapital ? [] : (request.headersDistinct[name] ?? [])
}

/** The value of a header that may occur once. */
export function header(
  request: IncomingMessage,
  name: string,
  defects: ReadonlySet<Defect>,
  firstWins = false,
): string | undefined {
  const lines = headerLines(request, name, defects)
  if (lines.length > 1 && !firstWins) throw new Refusal(400, `Repeated header: ${name}`)
  return lines[0]
}

export function writeJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.writableEnded || response.headersSent) return
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(text)
}

export function errorMessage(code: number, message: string, id?: RequestId): Message {
  return id === undefined
    ? { jsonrpc: '2.0', error: { code, message } }
    : { jsonrpc: '2.0', id, error: { code, message } }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Comparison of revisions in one place: they are dates. */
export function isSince(version: string, since: '2025-06-18' | '2025-11-25'): boolean {
  return version >= since
}
