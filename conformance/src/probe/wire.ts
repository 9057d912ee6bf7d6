import type { Exchange } from '../client/exchange.ts'
import type { HeaderChanges, HttpClient } from '../client/http.ts'
import { toolCall } from '../client/json-rpc.ts'
import { getHeaders, postHeaders, responseIn, Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { type HopName, untestable } from './finding.ts'
import { type Greeting, legacyGreeting, newestVersion } from './greeting.ts'

/**
 * How requests of a session fare. `kept`: the server gives session ids and takes them. `stateless`: it gives none and
 * needs none. `lost-to-client`: it gave none and asks for one. `refused`: it gave one and does not take it.
 */
export type SessionState = 'kept' | 'stateless' | 'lost-to-client' | 'refused'

/** Without affinity at least every second request hits another node: so many tries hardly all fail. */
const mostTries = 12

/** Tries of two probes must not take turns at two nodes for ever. */
const mostPauseMs = 20

/**
 * Sends until the session is known. Whether all requests find their session is one finding; the others are not to
 * suffer from it.
 */
export async function insist(
  send: () => Promise<Exchange>,
  unknown: readonly number[] = [404, 400],
): Promise<Exchange> {
  for (let tries = 1; ; tries++) {
    const exchange = await send()
    if (!unknown.includes(exchange.status) || tries === mostTries) return exchange
    await delay(Math.random() * mostPauseMs)
  }
}

export interface WireOptions {
  readonly client: HttpClient
  readonly state: SessionState
  readonly greeting: Greeting
  /** The answer to the greeting. */
  readonly first: Exchange
  readonly hops: readonly HopName[]
  readonly timeoutMs: number
  readonly idleMs: number
}

/** The way to the server as the probes use it: with sessions that are ended in the end. */
export class Wire {
  readonly client: HttpClient
  readonly state: SessionState
  readonly greeting: Greeting
  readonly first: Exchange
  readonly hops: readonly HopName[]
  readonly timeoutMs: number
  readonly idleMs: number
  readonly #ids: (string | undefined)[] = []

  constructor({ client, state, greeting, first, hops, timeoutMs, idleMs }: WireOptions) {
    this.client = client
    this.state = state
    this.greeting = greeting
    this.first = first
    this.hops = hops
    this.timeoutMs = timeoutMs
    this.idleMs = idleMs
  }

  get url(): URL {
    return this.client.url
  }

  /** Requests get through: in sessions, or without any. */
  get isUsable(): boolean {
    return this.state === 'kept' || this.state === 'stateless'
  }

  get hasProgress(): boolean {
    return this.client.settings.roles?.has('progress') ?? false
  }

  async open(): Promise<Session> {
    const session = await openPlainSession(this.client, this.timeoutMs)
    this.#ids.push(session.id)
    return session
  }

  /** Sends a greeting of whatever kind; the session that it may open is ended with the others. */
  async greet(changes: HeaderChanges = {}, message = this.greeting.message()): Promise<Exchange> {
    const headers = this.greeting.headers(changes)
    const exchange = await this.client.send('POST', { body: message, headers, headMs: this.timeoutMs })
    this.#ids.push(exchange.header('mcp-session-id'))
    return exchange
  }

  /** A call that is answered with at least three events, some time apart; in a session of its own. */
  async callWithProgress(headers: Readonly<Record<string, string>> = {}): Promise<ProgressCall> {
    const session = await this.open()
    const message = toolCall('progress', {}, { progressToken: 'probe' })
    const exchange = await insist(() => session.post(message, { headers, headMs: this.timeoutMs }))
    return { session, exchange, id: message.id }
  }

  /** The standalone stream of `session`. */
  async listen(session: Session, headers: HeaderChanges = {}, headMs = this.timeoutMs): Promise<Exchange> {
    const options = { headers: getHeaders({ ...session.headers, ...headers }), headMs }
    return await insist(() => this.client.send('GET', options))
  }

  /** The stream that stays open for as long as a client listens: the standalone stream of a session of its own. */
  async openStream(headers: Readonly<Record<string, string>> = {}, headMs?: number): Promise<Exchange> {
    return await this.listen(await this.open(), headers, headMs)
  }

  /** What opens that stream. */
  get opening(): string {
    return 'GET'
  }

  /** Ends all sessions, and drops what is still open. */
  async close(): Promise<void> {
    this.client.close()
    await Promise.all(this.#ids.map((id) => endSession(this.client, id)))
    this.client.close()
  }
}

export interface ProgressCall {
  /** `undefined` where there are no sessions. */
  readonly session?: Session
  readonly exchange: Exchange
  readonly id: string | number | undefined
}

export async function openPlainSession(client: HttpClient, timeoutMs: number): Promise<Session> {
  const message = legacyGreeting.message()
  const exchange = await client.send('POST', { body: message, headers: postHeaders(), headMs: timeoutMs })
  const response = await responseIn(exchange, message.id, timeoutMs)
  const session = new Session(client, { id: exchange.header('mcp-session-id'), response, headers: {} })
  await insist(() => session.notify('notifications/initialized'))
  return session
}

/** Tidying up: a session that cannot be ended expires. */
export async function endSession(client: HttpClient, id: string | undefined, host?: string): Promise<void> {
  if (id === undefined) return
  const own = { 'Mcp-Session-Id': id, 'MCP-Protocol-Version': newestVersion }
  const headers = host === undefined ? own : { ...own, Host: host }
  await insist(() => client.send('DELETE', { headers, headMs: 1_000 })).catch(() => undefined)
}

/** Why a probe that needs requests to get through cannot say anything. */
export function unusable(wire: Wire) {
  return untestable(
    wire.state === 'lost-to-client'
      ? 'No request gets through: the session id does not reach the client.'
      : 'No request gets through: the server does not take the session id that it gave.',
  )
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** `1.2 s`, `35 ms`. */
export function toTime(ms: number): string {
  const whole = Math.round(ms)
  return whole < 1_000 ? `${whole} ms` : `${(ms / 1_000).toFixed(1)} s`
}
