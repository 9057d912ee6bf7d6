import type { Agent } from 'node:http'
import type { FaultKind } from '../check/ledger.ts'
import type { Random } from '../random.ts'
import type { Mark, Played } from '../script.ts'
import { createAgent, isStream, type Reply, readText, send } from './wire.ts'
import type { World } from './world.ts'

export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly mark?: Mark }
  readonly result?: { readonly mark?: Mark; readonly played?: Played }
  readonly error?: { readonly code: number; readonly message: string }
}

/** Lines of what a client did and saw that are kept. */
const transcriptLength = 60

const revisions = ['2025-11-25', '2025-11-25', '2025-11-25', '2025-06-18', '2025-03-26'] as const

/** One session as its client sees it. Speaks properly; who wants to misbehave uses the parts. */
export class SessionClient {
  readonly world: World
  readonly random: Random
  readonly name: string
  readonly revision: string
  readonly transcript: string[] = []
  /** Ids of unnumbered events that have come. */
  readonly seenIds = new Set<string>()
  sessionId = ''
  /** The client has ended the session, or let it idle: whatever is refused from now on is refused rightly. */
  isOver = false
  /** `late`: after the server has given the question up. */
  answering: 'at once' | 'twice' | 'late' | 'never' = 'at once'
  /** Streams that are open now. */
  #streams = 0
  /** When the server last heard of the client, as far as the client knows. */
  #servedAt = performance.now()
  readonly #agent: Agent | undefined
  readonly #startedAt = performance.now()
  #count = 0

  private constructor(world: World, random: Random) {
    this.world = world
    this.random = random
    this.name = world.nextName()
    world.present.add(this)
    this.revision = random.pick(revisions)
    this.#agent = random.chance(0.5) ? createAgent() : undefined
  }

  /** Opens a session. `undefined` if that failed, which is noted as a fault. */
  static async open(world: World, random: Random): Promise<SessionClient | undefined> {
    const client = new SessionClient(world, random)
    if (await client.#initialize()) return client
    client.leave()
    return undefined
  }

  /** A session that never says `initialized`. */
  static async openHalf(world: World, random: Random): Promise<SessionClient> {
    const client = new SessionClient(world, random)
    await client.#hello()
    return client
  }

  get headers(): Record<string, string> {
    return {
      accept: 'application/json, text/event-stream',
      ...(this.sessionId && { 'mcp-session-id': this.sessionId, 'mcp-protocol-version': this.revision }),
    }
  }

  nextId(): number {
    return ++this.#count
  }

  note(text: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(3)
    this.transcript.push(`${seconds} ${text}`)
    if (this.transcript.length > transcriptLength) this.transcript.shift()
  }

  fault(kind: FaultKind, text: string, times = 1): void {
    this.note(`FAULT ${kind}: ${text}`)
    this.world.ledger.fault(kind, `${this.name} (${this.revision}): ${text}`, this.transcript, times)
  }

  /** A stream has opened; what is returned is called when it is left. */
  attend(): () => void {
    this.#streams++
    return () => {
      this.#streams--
      this.#servedAt = performance.now()
    }
  }

  /**
   * Every status that the session's requests are answered with. A client that was silent for long, as it is by nature
   * or because the machine is busy, may find its session over.
   */
  heard(status: number): void {
    const { isNeglected } = this
    if (status >= 200 && status < 300) this.#servedAt = performance.now()
    if (status !== 404 || this.isOver || !isNeglected) return
    this.isOver = true
    this.note(`over after ${Math.round(this.#silentMs)} ms of silence`)
    this.world.ledger.figures.excused++
  }

  get isNeglected(): boolean {
    return this.#streams === 0 && this.#silentMs > this.world.deadlines.sessionIdleMs / 2
  }

  get #silentMs(): number {
    return performance.now() - this.#servedAt
  }

  post(message: object): Promise<Reply> {
    const headers = { ...this.headers, 'content-type': 'application/json' }
    return this.#send('POST', headers, JSON.stringify({ jsonrpc: '2.0', ...message }))
  }

  get(lastEventId: string): Promise<Reply> {
    const cursor: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId }
    return this.#send('GET', { ...this.headers, accept: 'text/event-stream', ...cursor })
  }

  /** Posts what is answered with 202. A refusal is a fault, unless the session is over. */
  async tell(message: object, what: string): Promise<void> {
    try {
      const reply = await this.post(message)
      const text = await readText(reply, this.world.hungAfterMs)
      if (reply.status !== 202 && !this.isOver) this.fault('refused', `${what}: ${reply.status} ${text}`)
    } catch (error) {
      if (!this.isOver) this.fault('hung', `${what}: ${error}`)
    }
  }

  /** Ends the session with DELETE. */
  async end(): Promise<void> {
    const { isNeglected } = this
    this.isOver = true
    this.note('DELETE')
    try {
      const reply = await this.#send('DELETE', this.headers)
      await readText(reply, this.world.hungAfterMs)
      if (reply.status !== 204 && !isNeglected) this.fault('refused', `DELETE: ${reply.status}`)
      const after = await this.post({ id: this.nextId(), method: 'ping' })
      const text = await readText(after, this.world.hungAfterMs)
      if (after.status !== 404) this.fault('refused', `Expected 404 after DELETE, got ${after.status} ${text}`)
    } catch (error) {
      this.fault('hung', `DELETE: ${error}`)
    }
  }

  /** The client is gone. Its sockets close; what it said stays said. */
  leave(): void {
    this.world.present.delete(this)
    this.#agent?.destroy()
  }

  async #initialize(): Promise<boolean> {
    try {
      const reply = await this.#hello()
      if (reply.status !== 200 || this.sessionId === '') {
        this.fault('refused', `initialize: ${reply.status}`)
        return false
      }
      await this.tell({ method: 'notifications/initialized' }, 'initialized')
      this.world.ledger.figures.sessions++
      return true
    } catch (error) {
      this.fault('hung', `initialize: ${error}`)
      return false
    }
  }

  async #hello(): Promise<Reply> {
    const params = {
      protocolVersion: this.revision,
      capabilities: { elicitation: {}, sampling: {}, roots: {} },
      clientInfo: { name: this.name, version: this.random.chance(0.5) ? 'lists' : 'no lists' },
    }
    const reply = await this.post({ id: this.nextId(), method: 'initialize', params })
    await readText(reply, this.world.hungAfterMs)
    this.sessionId = String(reply.headers['mcp-session-id'] ?? '')
    this.note(`initialize: ${reply.status}${isStream(reply) ? ' on a stream' : ''}`)
    return reply
  }

  async #send(method: 'GET' | 'POST' | 'DELETE', headers: Record<string, string>, body?: string): Promise<Reply> {
    const reply = await send(this.world.url, {
      ...{ method, headers, timeoutMs: this.world.hungAfterMs },
      ...(body !== undefined && { body }),
      ...(this.#agent && { agent: this.#agent }),
    })
    this.heard(reply.status)
    return reply
  }
}
