import { setTimeout as sleep } from 'node:timers/promises'
import { sessionKey } from '../../../packages/core/src/index.ts'
import { NoReply, type Reply, readText, type Sending, send } from '../../clients/wire.ts'
import type { Random } from '../../random.ts'
import type { ChaosWorld } from './chaos-world.ts'

/** Why a request came to nothing. */
export type Refused = 'gone' | 'unknown' | 'given up'

const retryMs = 200
/** Lines of what a client did and saw that are kept. */
const transcriptLength = 40

/** One session, whose client sends each request to a random node and tries again where that does no harm. */
export class ChaosClient {
  readonly world: ChaosWorld
  readonly random: Random
  readonly name: string
  readonly openedAt = performance.now()
  sessionKey = ''
  /** The session has ended, or is lost: whatever is refused from now on is refused rightly. */
  isOver = false
  readonly transcript: string[] = []
  #sessionId = ''
  #count = 0

  private constructor(world: ChaosWorld, random: Random) {
    this.world = world
    this.random = random
    this.name = world.nextName()
  }

  static async open(world: ChaosWorld, random: Random): Promise<ChaosClient | undefined> {
    const client = new ChaosClient(world, random)
    return (await client.#initialize()) ? client : undefined
  }

  nextId(): number {
    return ++this.#count
  }

  note(text: string): void {
    this.transcript.push(`${Math.round(performance.now() - this.openedAt)} ${text}`)
    if (this.transcript.length > transcriptLength) this.transcript.shift()
  }

  fault(kind: 'hung' | 'refused' | 'doubled', text: string): void {
    this.world.tally.fault(kind, `${this.name}: ${text}\n    ${this.transcript.join('\n    ')}`)
  }

  get(lastEventId: string): Promise<Reply | Refused> {
    const cursor: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId }
    return this.#request('GET', { accept: 'text/event-stream', ...cursor })
  }

  /** `isSafe`: to run it twice does no harm. */
  post(message: object, isSafe = true): Promise<Reply | Refused> {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    return this.#request('POST', headers, JSON.stringify({ jsonrpc: '2.0', ...message }), isSafe)
  }

  /** Posts what is answered with 202. */
  async tell(message: object, what: string): Promise<void> {
    const reply = await this.post(message)
    if (typeof reply === 'string') return
    const text = await readText(reply, this.world.hungAfterMs).catch(String)
    // The node that asked, and the question with it, may be gone.
    if (reply.status === 400 && text.includes('never asked')) this.world.tally.count('questions of dead nodes')
    else if (reply.status !== 202) this.fault('refused', `${what}: ${reply.status} ${text}`)
  }

  /** Ends the session on one node, and looks for it on every other. */
  async end(): Promise<void> {
    if (this.isOver) return
    // What is refused while it is under way may be refused for it.
    this.isOver = true
    const deletedAt = performance.now()
    const reply = await this.#request('DELETE', {})
    if (typeof reply === 'string') return
    await readText(reply, this.world.hungAfterMs).catch(() => undefined)
    if (reply.status !== 204) this.fault('refused', `DELETE: ${reply.status}`)
    for (const url of this.world.urls()) await this.#lookAfterEnd(url, deletedAt)
  }

  /** A look can take long: what the store has lost since the DELETE may be that. */
  async #lookAfterEnd(url: string, deletedAt: number): Promise<void> {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: this.nextId(), method: 'ping' })
    try {
      const reply = await this.#send(url, { method: 'POST', headers, body })
      reply.leave()
      if (reply.status === 404) this.world.tally.count('404 after DELETE')
      else if (this.world.hasLostSince(deletedAt)) this.world.tally.count('lost after DELETE')
      else if (reply.status !== 503) {
        const ms = Math.round(performance.now() - deletedAt)
        this.fault('refused', `Expected 404 ${ms} ms after DELETE at ${url}, got ${reply.status}`)
      }
    } catch {
      // The node is gone by now.
    }
  }

  async #initialize(): Promise<boolean> {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: this.name, version: 'lists' },
    }
    const reply = await this.post({ id: this.nextId(), method: 'initialize', params })
    if (typeof reply === 'string') return false
    const text = await readText(reply, this.world.hungAfterMs).catch(String)
    const sessionId = String(reply.headers['mcp-session-id'] ?? '')
    if (reply.status !== 200 || sessionId === '') {
      this.fault('refused', `initialize: ${reply.status} ${text}`)
      return false
    }
    this.#sessionId = sessionId
    this.sessionKey = await sessionKey(sessionId)
    this.world.tally.count('sessions')
    await this.tell({ method: 'notifications/initialized' }, 'initialized')
    return true
  }

  async #request(method: Sending['method'], headers: Record<string, string>, body?: string, isSafe = true) {
    const until = performance.now() + this.world.hungAfterMs
    while (performance.now() < until) {
      const reply = await this.#try({ method, headers, ...(body !== undefined && { body }) }, isSafe)
      if (reply === 'unknown') return reply
      if (reply !== undefined) return this.#judge(reply, method)
      await sleep(this.random.int(retryMs / 2, retryMs))
    }
    if (!this.isOver) this.fault('hung', `${method}: refused for ${this.world.hungAfterMs} ms`)
    return 'given up' as const
  }

  /** `undefined`: again. */
  async #try(sending: Omit<Sending, 'timeoutMs'>, isSafe: boolean): Promise<Reply | 'unknown' | undefined> {
    const { tally } = this.world
    const [url, sentAt] = [this.world.url(), performance.now()]
    try {
      const reply = await this.#send(url, sending)
      this.note(`${sending.method} ${sending.headers['last-event-id'] ?? ''} at ${url}: ${reply.status}`)
      if (reply.status !== 503) return reply
      const text = await readText(reply, this.world.hungAfterMs).catch(() => '')
      this.note(text)
      tally.count(`503 to ${sending.method}: ${(JSON.parse(text) as { error?: { message?: string } }).error?.message}`)
      return undefined
    } catch (error) {
      this.note(`${sending.method} at ${url}: ${error}`)
      if (error instanceof NoReply) this.fault('hung', `${sending.method} ${sending.body}: ${error}`)
      tally.count('broken requests')
      const isUnheard = (error as { code?: string }).code === 'ECONNREFUSED'
      const isOfItsNode = error instanceof NoReply || this.world.hasEndedSince(url, sentAt)
      if (!isUnheard && !isOfItsNode) this.fault('refused', `${sending.method}: ${error}, though its node lives`)
      return isSafe || isUnheard ? undefined : 'unknown'
    }
  }

  #send(url: string, { headers, ...sending }: Omit<Sending, 'timeoutMs'>): Promise<Reply> {
    const session = this.#sessionId && { 'mcp-session-id': this.#sessionId, 'mcp-protocol-version': '2025-11-25' }
    return send(url, { ...sending, headers: { ...headers, ...session }, timeoutMs: this.world.hungAfterMs })
  }

  #judge(reply: Reply, method: string): Reply | 'gone' {
    if (reply.status !== 404) return reply
    reply.leave()
    // One before it, of the client or between nodes, ended the session, and its answer got lost.
    if (method === 'DELETE') this.world.tally.count('DELETE found nothing')
    if (!this.isOver && !this.world.hasLostSince(this.openedAt)) this.fault('refused', `${method}: 404`)
    if (!this.isOver) this.world.tally.count('sessions that were lost')
    this.isOver = true
    return 'gone'
  }
}
