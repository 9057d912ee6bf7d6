import { createHash } from 'node:crypto'
import { Chain, type Checker, type Message } from './checker.ts'
import { Exchange, type Hearer } from './exchange.ts'
import type { Node, Step } from './node.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface ClientParts {
  readonly time: VirtualTime
  readonly random: Random
  readonly checker: Checker
  readonly name: string
  /** Those that a balancer would choose from now. */
  readonly nodes: () => readonly Node[]
  /** How likely a response is broken off by its client or the network. */
  readonly cutting: number
  /** Whether a call may fail at this moment: something is wrong that may end it. */
  readonly mayFail: () => boolean
  readonly calls: number
}

type Outcome = 'result' | 'error' | 'broken' | 'session gone' | 'cancelled'

/** One client and its session: opens it, calls, listens, comes back, and says what it got. */
export class Client {
  readonly calls: ClientCall[] = []
  /** Of the record; known when the session is open. */
  key = ''
  sessionId = ''
  isOpen = false
  /** It has asked for the end of its session. */
  hasEnded = false
  readonly listener: Listener | undefined
  readonly #parts: ClientParts

  constructor(parts: ClientParts) {
    const { random, time } = parts
    this.#parts = parts
    if (random.chance(0.8)) this.listener = new Listener(this, parts)
    time.after(random.between(0, 50), undefined, () => this.#open())
  }

  get name(): string {
    return this.#parts.name
  }

  get isDone(): boolean {
    return this.isOpen && this.calls.every(({ outcome }) => outcome !== undefined) && this.#isAllRead
  }

  get #isAllRead(): boolean {
    return this.hasEnded || this.listener === undefined || this.listener.chain.isComplete
  }

  /** Why it is not done. */
  complain(): void {
    const { checker } = this.#parts
    if (!this.isOpen) checker.violated('termination', `session ${this.name} could not be opened`)
    for (const { id, outcome, state } of this.calls) {
      if (!outcome) checker.violated('termination', `call ${id} of session ${this.name} never ended: ${state}`)
    }
    if (!this.#isAllRead) {
      const { chain, state } = this.listener as Listener
      checker.violated('loss', `session ${this.name} is at ${chain.place} for ever: ${state}`)
    }
  }

  send(method: string, hearer: Hearer, body?: unknown, lastEventId?: string): Exchange {
    const { time, random, nodes, cutting, name } = this.#parts
    const exchange = new Exchange({
      ...{ time, random, hearer, node: random.pick(nodes()) },
      sent: {
        method,
        headers: {
          host: 'localhost',
          accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(this.sessionId !== '' && { 'mcp-session-id': this.sessionId }),
          ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
        },
        body,
        auth: { token: 't', clientId: name, scopes: [], extra: { sub: name } },
      },
    })
    if (random.chance(cutting)) time.after(random.between(0, 3_000), undefined, () => exchange.cut())
    return exchange
  }

  /** Sends until it is answered with a status below 300. */
  insist(method: string, body: unknown, done: (headers: Readonly<Record<string, string>>) => void): void {
    const { time, random } = this.#parts
    const again = (): void => void time.after(random.between(20, 400), undefined, () => this.insist(method, body, done))
    let isAnswered = false
    this.send(
      method,
      {
        refused: again,
        replied: (status, headers) => {
          isAnswered = true
          if (status < 300) done(headers)
          else if (status === 404 && this.sessionId !== '')
            this.#sessionGone(`${method} ${JSON.stringify(body)}`, done, headers)
          else if (status < 500) this.#parts.checker.violated('refused', `${method} ${JSON.stringify(body)}: ${status}`)
          else again()
        },
        text: () => undefined,
        over: () => {
          if (!isAnswered) again()
        },
      },
      body,
    )
  }

  #sessionGone(
    what: string,
    done: (headers: object & Readonly<Record<string, string>>) => void,
    headers: Readonly<Record<string, string>>,
  ): void {
    if (this.hasEnded) done(headers)
    else this.gone(what)
  }

  /** The session is said to be unknown. */
  gone(what: string): void {
    if (!this.hasEnded)
      this.#parts.checker.violated('refused', `session ${this.name} is gone, and nobody ended it: ${what}`)
    this.hasEnded = true
  }

  #open(): void {
    const { name } = this.#parts
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } }
    this.insist('POST', { jsonrpc: '2.0', id: 0, method: 'initialize', params }, (headers) => {
      this.sessionId = headers['mcp-session-id'] ?? ''
      this.key = createHash('sha256').update(this.sessionId).digest('base64url')
      this.#parts.checker.histories.opened(this.sessionId, this.key)
      this.insist('POST', { jsonrpc: '2.0', method: 'notifications/initialized' }, () => this.#begin())
    })
  }

  #begin(): void {
    const { time, random, calls } = this.#parts
    this.isOpen = true
    const soon = (work: () => void): void => void time.after(random.between(0, 3_000), undefined, work)
    if (this.listener) soon(() => this.listener?.listen())
    for (let i = 1; i <= calls; i++) {
      const call = new ClientCall(this, this.#parts, i)
      this.calls.push(call)
      soon(() => call.begin())
    }
    if (random.chance(0.1)) time.after(random.between(1_000, 6_000), undefined, () => this.#end())
  }

  #end(): void {
    this.hasEnded = true
    this.insist('DELETE', undefined, () => this.#checkEnded())
  }

  /** No node answers for it from now on. */
  #checkEnded(): void {
    this.send(
      'POST',
      {
        refused: () => undefined,
        replied: (_status, _headers, body) => {
          if (body?.includes('"result"'))
            this.#parts.checker.violated('owner', `session ${this.name} answers after its end`)
        },
        text: () => undefined,
        over: () => undefined,
      },
      { jsonrpc: '2.0', id: 'after', method: 'ping' },
    )
  }

  answer(id: string | number): void {
    this.insist('POST', { jsonrpc: '2.0', id, result: { action: 'accept' } }, () => undefined)
  }
}

/** Reads an event stream, of one connection after the other. */
abstract class StreamClient {
  readonly client: Client
  readonly chain: Chain
  readonly parts: ClientParts
  state = 'not begun'
  #text = ''

  constructor(client: Client, parts: ClientParts, stream: string) {
    this.client = client
    this.parts = parts
    this.chain = new Chain(parts.checker, parts.name, stream, () => client.key)
  }

  /** A connection for the stream, or none. */
  protected abstract answered(status: number, body: string | undefined): void
  protected abstract over(isClean: boolean): void
  protected abstract got(message: Message): void
  protected abstract refused(): void

  protected get hearer(): Hearer {
    let isAnswered = false
    return {
      refused: () => this.refused(),
      replied: (status, headers, body) => {
        isAnswered = true
        this.#text = ''
        this.state = `answered ${status} ${body ?? ''}`
        if (status === 200 && body === undefined) this.chain.connected(headers['mcp-resume'] === 'gap')
        this.answered(status, body)
      },
      text: (text) => this.#read(text),
      over: (isClean) => {
        this.state += isClean ? ', ended' : ', broken'
        if (isAnswered) this.over(isClean)
        else this.broken()
      },
    }
  }

  /** Broken before there was an answer. */
  protected abstract broken(): void

  protected again(work: () => void): void {
    const { time, random } = this.parts
    time.after(random.chance(0.5) ? random.between(0, 5) : random.between(5, 600), undefined, work)
  }

  protected comeBack(): Exchange {
    const { lastEventId } = this.chain
    this.state = `coming back with ${lastEventId}`
    return this.client.send('GET', this.hearer, undefined, lastEventId)
  }

  #read(text: string): void {
    this.#text += text
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const block = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      this.#readBlock(block)
    }
  }

  #readBlock(block: string): void {
    if (block.startsWith(': events were dropped')) return this.chain.gap()
    let id: string | undefined
    let data: string | undefined
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) id = line.slice(4)
      else if (line.startsWith('data: ')) data = line.slice(6)
    }
    if (data === undefined) return
    const message = this.chain.event(id, data)
    if (message) this.got(message)
  }
}

/** The standalone stream. */
export class Listener extends StreamClient {
  constructor(client: Client, parts: ClientParts) {
    super(client, parts, 'g')
  }

  listen(): void {
    if (!this.client.hasEnded) this.comeBack()
  }

  protected answered(status: number): void {
    const { checker } = this.parts
    const { hasEnded, name } = this.client
    if (status === 404) return this.client.gone('GET')
    if (hasEnded || status === 200 || status >= 500) return
    // 204 would tell it never to come back.
    checker.violated('refused', `session ${name}: GET after ${this.chain.lastEventId} was answered ${status}`)
  }

  protected over(): void {
    this.again(() => this.listen())
  }

  protected broken(): void {
    this.again(() => this.listen())
  }

  protected refused(): void {
    this.again(() => this.listen())
  }

  protected got(): void {
    return
  }
}

export class ClientCall extends StreamClient {
  readonly id: string
  outcome: Outcome | undefined
  readonly #steps: readonly Step[]
  #exchange: Exchange | undefined
  #isCancelled = false

  constructor(client: Client, parts: ClientParts, number: number) {
    super(client, parts, `c${number}`)
    this.id = `c${number}`
    this.#steps = toSteps(parts.random)
  }

  begin(): void {
    const { time, random } = this.parts
    if (this.client.hasEnded) return this.#settle('session gone')
    this.#post()
    if (random.chance(0.05)) time.after(random.between(0, 1_000), undefined, () => this.#cancel())
  }

  #post(): void {
    const params = { call: this.id, steps: this.#steps }
    this.state = 'posted'
    this.#exchange = this.client.send('POST', this.hearer, { jsonrpc: '2.0', id: this.id, method: 'work', params })
  }

  #cancel(): void {
    if (this.outcome || this.client.hasEnded) return
    this.#isCancelled = true
    const params = { requestId: this.id }
    this.client.insist('POST', { jsonrpc: '2.0', method: 'notifications/cancelled', params }, () => {
      if (!this.outcome) this.#settle('cancelled')
    })
  }

  protected refused(): void {
    // The next node may have it: nothing was sent.
    this.again(() => (this.chain.lastEventId === undefined ? this.#post() : this.#resume()))
  }

  protected broken(): void {
    if (this.chain.lastEventId !== undefined) this.again(() => this.#resume())
    else this.#settle('broken')
  }

  protected answered(status: number, body: string | undefined): void {
    if (this.outcome) return
    if (status === 404) {
      this.client.gone(`call ${this.id}`)
      return this.#settle('session gone')
    }
    if (status === 200) {
      if (body !== undefined) this.#take(JSON.parse(body) as Message, body)
    } else if (status >= 500 && this.chain.lastEventId === undefined) this.#settle('error')
    else if (status < 500) this.#turnedAway(status, body)
  }

  #turnedAway(status: number, body: string | undefined): void {
    const { checker } = this.parts
    const isOver = this.#isCancelled || this.client.hasEnded
    // Whoever is told that nothing is left, and has no answer, waits for ever.
    if (!isOver) {
      const rule = status === 204 ? 'termination' : 'refused'
      const after = this.chain.lastEventId
      checker.violated(rule, `call ${this.id} of ${this.client.name}, after ${after}: ${status} ${body ?? ''}`)
    }
    this.#settle('error')
  }

  protected over(isClean: boolean): void {
    if (this.outcome) return
    if (this.chain.lastEventId !== undefined) return this.again(() => this.#resume())
    if (isClean && !this.client.hasEnded && !this.#isCancelled) {
      this.parts.checker.violated(
        'termination',
        `call ${this.id} of ${this.client.name} ended without an answer or an id`,
      )
    }
    this.#settle('broken')
  }

  protected got(message: Message): void {
    if (message.method === 'elicitation/create') this.client.answer(message.id as string)
    else if (message.id !== undefined) this.#take(message, JSON.stringify(message))
  }

  #resume(): void {
    if (this.outcome) return
    if (this.client.hasEnded) return this.#settle('session gone')
    this.#exchange = this.comeBack()
  }

  #take({ id, result, error }: Message, text: string): void {
    const { checker, mayFail } = this.parts
    const where = `call ${this.id} of session ${this.client.name}`
    if (id !== this.id) checker.violated('isolation', `${where} got ${text}`)
    if (this.outcome === 'result' || this.outcome === 'error')
      checker.violated('termination', `${where} got a second answer: ${text}`)
    if (result?.p !== undefined && checker.streamOf(result.p) !== this.id)
      checker.violated('phantom', `${where} got ${text}`)
    const isExcused = mayFail() || this.#isCancelled || this.client.hasEnded
    if (error && !isExcused) checker.violated('termination', `${where} failed, and nothing was wrong: ${text}`)
    if (this.outcome === undefined) this.#settle(error ? 'error' : 'result')
  }

  #settle(outcome: Outcome): void {
    this.outcome = outcome
    if (outcome !== 'cancelled') return
    const exchange = this.#exchange
    if (exchange && !exchange.isOver) exchange.cut()
  }
}

/** What the tool is to do. */
function toSteps(random: Random): Step[] {
  const steps: Step[] = []
  for (let left = random.below(6); left > 0; left--) {
    const chance = random.next()
    if (chance < 0.35) steps.push({ type: 'progress' })
    else if (chance < 0.65) steps.push({ type: 'push' })
    else if (chance < 0.92)
      steps.push({ type: 'sleep', ms: random.chance(0.7) ? random.between(1, 200) : random.between(200, 2_500) })
    else steps.push({ type: random.chance(0.6) ? 'ask' : 'closeStream' })
  }
  return steps
}
