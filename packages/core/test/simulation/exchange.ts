import type {
  AuthInfo,
  BodySink,
  EventSink,
  EventStreamBody,
  HttpReply,
  HttpRequest,
  SinkEvents,
} from '../../src/index.ts'
import type { Node } from './node.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a client sends. */
export interface Sent {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly auth: AuthInfo
}

/** What becomes of it, as the client sees it. */
export interface Hearer {
  /** Nobody took the connection: nothing was sent. */
  refused(): void
  /** `body` is `undefined` for an event stream, whose text follows. */
  replied(status: number, headers: Readonly<Record<string, string>>, body: string | undefined): void
  text(text: string): void
  /** The response has ended, or its connection is broken. */
  over(isClean: boolean): void
}

export interface ExchangeParts {
  readonly time: VirtualTime
  readonly random: Random
  readonly node: Node
  readonly sent: Sent
  readonly hearer: Hearer
}

/** One HTTP exchange between a client and a node: what is on its way takes time, and is lost when it breaks. */
export class Exchange implements EventSink {
  readonly #parts: ExchangeParts
  readonly #request: SimulatedRequest
  #events: SinkEvents | undefined
  /** When what was written last arrives. */
  #arrives = 0
  /** The client hears nothing more. */
  #isOver = false
  /** The node knows. */
  #isClosed = false
  #hasReplied = false
  readonly #number: number

  constructor(parts: ExchangeParts) {
    const { time, random, sent, node } = parts
    this.#parts = parts
    this.#number = time.number()
    this.#request = new SimulatedRequest(sent, (read) => {
      if (random.chance(0.7)) read()
      else time.after(random.between(0, 300), node.process, read)
    })
    this.#trace(() => `sends ${sent.method} ${JSON.stringify(sent.headers)} ${JSON.stringify(sent.body) ?? ''}`)
    time.after(this.#delay(), undefined, () => this.#arrive())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The client leaves, or the network breaks; the node hears of that sooner or later. */
  cut(): void {
    const { time, random, node } = this.#parts
    if (this.#isOver) return
    this.#trace(() => 'is cut')
    this.#end(false)
    time.after(random.chance(0.5) ? this.#delay() : random.between(0, 4_000), node.process, () => this.#gone())
  }

  /** The process is gone: what it wrote last may have come through. */
  nodeGone(): void {
    const { time, random } = this.#parts
    if (random.chance(0.5)) this.#end(false)
    else time.at(Math.max(this.#arrives, time.now), undefined, () => this.#end(false))
  }

  #arrive(): void {
    const { time, node, hearer } = this.#parts
    if (this.#isOver) return
    if (node.process.isGone) {
      this.#isOver = true
      return hearer.refused()
    }
    node.exchanges.add(this)
    time.after(0, node.process, () => {
      if (this.#isClosed) return
      this.#request.came(node.name, time.now)
      void node.endpoint.handle(this.#request).then((reply) => this.#reply(reply))
    })
  }

  #reply({ status, headers, body }: HttpReply): void {
    this.#hasReplied = true
    this.#trace(() => `is answered ${status} ${typeof body === 'object' ? 'with a stream' : body}`)
    if (typeof body === 'object') this.#stream(status, headers, body)
    else {
      this.#later(() => {
        this.#parts.hearer.replied(status, headers, body)
        this.#end(true)
      })
      this.#isClosed = true
    }
  }

  #stream(status: number, headers: HttpReply['headers'], body: EventStreamBody): void {
    if (!this.#isClosed) this.#later(() => this.#parts.hearer.replied(status, headers, undefined))
    this.#events = body.open(this)
    if (this.#isClosed) this.#events.gone()
  }

  // ---- EventSink ----

  write(text: string): boolean {
    const { time, random, node } = this.#parts
    this.#trace(() => `is written ${JSON.stringify(text)}`)
    this.#later(() => this.#parts.hearer.text(text))
    if (random.chance(0.93)) return true
    time.after(random.between(0.1, 150), node.process, () => {
      if (!this.#isClosed) this.#events?.drain()
    })
    return false
  }

  end(text: string): void {
    const { time, node } = this.#parts
    this.#trace(() => `is ended with ${JSON.stringify(text)}`)
    if (text !== '') this.#later(() => this.#parts.hearer.text(text))
    this.#later(() => this.#end(true))
    time.at(this.#arrives, node.process, () => this.#gone())
  }

  destroy(): void {
    const { time, node } = this.#parts
    time.after(this.#delay(), undefined, () => this.#end(false))
    time.after(0, node.process, () => this.#gone())
  }

  #trace(line: () => string): void {
    const { time, sent, node } = this.#parts
    time.trace?.(`${sent.auth.clientId} at ${node.name}, ${this.#number}: ${line()}`)
  }

  #gone(): void {
    if (this.#isClosed) return
    this.#trace(() => 'is closed, as its node hears')
    this.#isClosed = true
    if (this.#hasReplied) this.#events?.gone()
    else this.#request.leave()
  }

  #end(isClean: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#parts.node.exchanges.delete(this)
    this.#parts.hearer.over(isClean)
  }

  /** In the order in which it was sent. */
  #later(work: () => void): void {
    const { time } = this.#parts
    this.#arrives = Math.max(this.#arrives, time.now + this.#delay())
    time.at(this.#arrives, undefined, () => {
      if (!this.#isOver) work()
    })
  }

  #delay(): number {
    const { random } = this.#parts
    return random.chance(0.9) ? random.between(0.1, 2) : random.between(2, 80)
  }
}

class SimulatedRequest implements HttpRequest {
  readonly method: string
  readonly url = '/mcp'
  headers: Readonly<Record<string, string>>
  readonly localAddress = '127.0.0.1'
  readonly parsedBody = undefined
  auth: AuthInfo | undefined
  readonly #body: unknown
  readonly #later: (read: () => void) => void
  #leave: (() => void) | undefined

  constructor({ method, headers, body, auth }: Sent, later: (read: () => void) => void) {
    this.method = method
    this.headers = headers
    this.auth = auth
    this.#body = body
    this.#later = later
  }

  /** Tools see where and when it came. */
  came(node: string, at: number): void {
    this.headers = { ...this.headers, 'x-came-to': node, 'x-came-at': String(at) }
  }

  header(name: string): string | undefined {
    return this.headers[name]
  }

  headerCount(name: string): number {
    return name in this.headers ? 1 : 0
  }

  readBody(sink: BodySink): void {
    this.#later(() => {
      try {
        sink.take(utf8.encode(JSON.stringify(this.#body)))
        sink.end()
      } catch (error) {
        sink.fail(error)
      }
    })
  }

  stopReading(): void {
    return
  }

  onGone(listener: () => void): void {
    this.#leave = listener
  }

  leave(): void {
    this.#leave?.()
  }
}

const utf8 = new TextEncoder()
