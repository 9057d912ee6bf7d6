import type { Random } from '../random.ts'
import { type Manners, spread } from './manners.ts'
import { type SseEvent, SseReader } from './sse.ts'
import type { Reply } from './wire.ts'

/** How a connection came to its end. */
export type Leaving =
  /** The server ended it. */
  | 'ended'
  /** The server, or what is between, broke it. */
  | 'broken'
  /** The client cut it, as its manners are. */
  | 'cut'
  /** The client has enough. */
  | 'left'
  | 'hung'

export interface ConnectionOptions {
  readonly random: Random
  readonly manners: Manners
  readonly hungAfterMs: number
  /** The client has an id to come back with. */
  readonly canComeBack: () => boolean
  readonly onEvent: (event: SseEvent) => void
  /** The stream says that events are missing here. */
  readonly onGap: () => void
  readonly note: (text: string) => void
}

/** Reads one event stream over one connection, in one client's manners. */
export class Connection {
  readonly left: Promise<Leaving>
  /** When the client stopped reading. */
  readUntil = performance.now()
  readonly #reply: Reply
  readonly #options: ConnectionOptions
  readonly #reader: SseReader
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #patience: NodeJS.Timeout | undefined
  #bytesLeft: number
  #resolve: ((how: Leaving) => void) | undefined
  #isReading = true
  #heardAt = performance.now()

  constructor(reply: Reply, options: ConnectionOptions) {
    const { random, manners, hungAfterMs, onEvent, onGap } = options
    const { response } = reply
    this.#reply = reply
    this.#options = options
    this.#bytesLeft = spread(random, manners.cutBytes)
    this.#reader = new SseReader((event) => {
      // An event that only sets the cursor is no news.
      if (event.data !== '') this.#heard()
      onEvent(event)
    }, onGap)
    if (hungAfterMs !== Infinity) this.#patience = setTimeout(() => this.leave('hung'), Math.max(hungAfterMs, 1))
    this.#later(spread(random, manners.cutMs), () => this.#cut())
    this.left = new Promise((resolve) => {
      this.#resolve = resolve
    })
    response.on('data', (chunk: Buffer) => this.#take(chunk))
    response.on('close', () => this.#end(response.complete ? 'ended' : 'broken'))
  }

  get retryMs(): number | undefined {
    return this.#reader.retryMs
  }

  /** Time since the last event, as long as the client was reading. */
  get waitedMs(): number {
    return Math.max(0, this.readUntil - this.#heardAt)
  }

  leave(why: Leaving): void {
    this.#reply.leave()
    // Not left to `close`: a response that is complete but was not read to its end never emits it.
    this.#end(why)
  }

  #end(how: Leaving): void {
    clearTimeout(this.#patience)
    for (const timer of this.#timers) clearTimeout(timer)
    if (this.#isReading) this.readUntil = performance.now()
    this.#isReading = false
    this.#resolve?.(how)
  }

  #take(chunk: Buffer): void {
    if (!this.#isReading) return
    const { canComeBack, manners } = this.#options
    this.readUntil = performance.now()
    // What is behind the cut never arrived.
    const taken = canComeBack() ? Math.max(0, Math.min(chunk.length, this.#bytesLeft)) : chunk.length
    this.#bytesLeft -= taken
    this.#reader.push(chunk.subarray(0, taken))
    if (this.#bytesLeft <= 0) this.#cut()
    if (this.#isReading && manners.restMs > 0) this.#rest(manners.restMs)
  }

  #rest(ms: number): void {
    const { response } = this.#reply
    response.pause()
    this.#later(ms, () => this.#isReading && response.resume())
  }

  /** Stops reading, and leaves now or after having been dead for a while. */
  #cut(): void {
    if (!this.#isReading || !this.#options.canComeBack()) return
    const { random, manners, note } = this.#options
    this.readUntil = performance.now()
    this.#isReading = false
    clearTimeout(this.#patience)
    if (manners.deadMs === 0) return this.leave('cut')
    note('reads no more')
    this.#reply.response.pause()
    this.#later(random.int(0, manners.deadMs), () => this.leave('cut'))
  }

  #heard(): void {
    this.#heardAt = performance.now()
    this.#patience?.refresh()
  }

  #later(ms: number, what: () => void): void {
    if (ms === Infinity) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      what()
    }, ms)
    this.#timers.add(timer)
  }
}
