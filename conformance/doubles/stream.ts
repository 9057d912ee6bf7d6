import type { ServerResponse } from 'node:http'
import type { Session } from './session.ts'
import { toEvent, toHeaders, toPreamble } from './sse.ts'
import { isSince, type Message, type Settings } from './wire.ts'

interface Event {
  readonly id: string
  readonly message: Message
  readonly at: number
}

interface Connection {
  readonly response: ServerResponse
  readonly isGet: boolean
  /** How many events of the stream were written to it. */
  cursor: number
  /** The reader is behind: wait for `drain`. */
  isBlocked: boolean
  /** Nothing is written yet, in one double. */
  isHeld: boolean
  /** Written, in this order, before the first event. */
  opening: (() => void)[]
  /** The stream's end does not end it. */
  staysOpen: boolean
  /** Events before came before it was attached. */
  readonly replaysTo: number
  /** Events from here on came after it was attached. The next of them is lost, in one double. */
  losesFrom: number | undefined
}

/** How a response becomes the stream's connection. */
export interface Attachment {
  readonly isGet: boolean
  /** How many events the client has, by its Last-Event-ID. */
  readonly after?: number | undefined
  /** Something is to be written right away; otherwise the call takes long. */
  readonly hasOutput?: boolean
}

/**
 * A numbered run of events that outlives its connections: one per answered POST, one per session for GET.
 * The log is the only buffer: a connection keeps a cursor into it.
 */
export class Stream {
  readonly tag: string
  readonly #session: Session
  readonly #settings: Settings
  readonly #log: (Event | undefined)[] = []
  readonly #waiting: (() => void)[] = []
  #connections: Connection[] = []
  #bytes = 0
  #oldest = 0
  #hasEnded = false
  #written = 0
  /** The server ended the last connection, so that the client comes back. */
  #isPolled = false
  #hasConnected = false
  #serverCloses = 0
  #clientResumes = 0
  #overBudgetAt = Number.NEGATIVE_INFINITY
  #lockedFrom = Number.POSITIVE_INFINITY
  #usedAt = performance.now()

  constructor(session: Session, tag: string, settings: Settings) {
    this.#session = session
    this.tag = tag
    this.#settings = settings
  }

  get isConnected(): boolean {
    return this.#connections.length > 0
  }

  get hasConnected(): boolean {
    return this.#hasConnected
  }

  get isStandalone(): boolean {
    return this.tag === '0'
  }

  /** Its client went away before it had everything, and has not come back. */
  get isOrphaned(): boolean {
    return (
      !this.isStandalone &&
      this.#hasConnected &&
      !this.isConnected &&
      !this.#isPolled &&
      this.#written < this.#log.length
    )
  }

  /** More came than is kept, not long ago. */
  get isFlooded(): boolean {
    return performance.now() - this.#overBudgetAt < 8_000
  }

  get #losesNext(): boolean {
    const { defects } = this.#settings
    const isFifth = this.#clientResumes >= 5 && defects.has('fifth-resume-loses-what-comes-next')
    return isFifth || defects.has('live-event-after-resume-lost')
  }

  /** Whether nothing comes after that, not even a response: the call was cancelled. */
  isSpent(after: number): boolean {
    const { defects } = this.#settings
    const isWrong =
      defects.has('cancelled-stream-brings-clients-back') || defects.has('cancelled-stream-stays-open-on-resume')
    const last = this.#log.at(-1)?.message
    const isUnanswered = last === undefined || last.method !== undefined
    return this.#hasEnded && after >= this.#log.length && isUnanswered && !isWrong
  }

  /** Nothing has happened on it for a minute. */
  get #isTooOld(): boolean {
    const isIdle = this.isStandalone && performance.now() - this.#usedAt > 60_000
    return isIdle && this.#settings.defects.has('aged-stream-goes-quiet')
  }

  /** For a while after its client left. */
  get isLocked(): boolean {
    const since = performance.now() - this.#lockedFrom
    return !this.isConnected && since > 50 && since < 350
  }

  append(message: Message, isLast = false): void {
    if (this.#hasEnded) return
    if (this.#settings.defects.has('push-after-a-close-lost') && this.isStandalone && this.#isPolled) {
      this.#isPolled = false
      return
    }
    if (this.#isTooOld) return
    this.#usedAt = performance.now()
    if (isLast && this.#overBudgetAt > 0 && this.#settings.defects.has('response-over-budget-lost')) return this.end()
    this.#log.push({ id: this.#nameNext(message), message, at: performance.now() })
    this.#bytes += JSON.stringify(message).length
    this.#hasEnded = isLast
    this.#makeRoom()
    this.#pump()
  }

  /** Writes a message beside the log: nobody can resume it. Only doubles do that. */
  copy(message: Message): void {
    for (const { response, cursor } of this.#connections) {
      response.write(
        toEvent(this.#session.nameEvent({ stream: this, after: cursor }, this.tag), message, this.#settings),
      )
    }
  }

  /** No more events: whoever reads to the end gets EOF. */
  end(): void {
    this.#hasEnded = true
    this.#pump()
  }

  /** Ends the connection, not the stream: the client comes back with the last id. */
  disconnect(): void {
    this.#isPolled = true
    this.#serverCloses++
    for (const { response } of this.#connections.splice(0)) response.end()
    this.#wake()
  }

  /** Comments are for proxies. A reader that is behind needs none. */
  keepAlive(): void {
    const { defects } = this.#settings
    if (defects.has(this.isStandalone ? 'get-is-not-kept-alive' : 'calls-are-not-kept-alive')) return
    for (const { response, isBlocked } of this.#connections) if (!isBlocked) response.write(': keep-alive\n\n')
  }

  /**
   * Makes `response` the stream's connection. It goes on after the events that the client says it has; without that,
   * after those that were ever written to a connection.
   */
  attach(response: ServerResponse, { after: known, isGet, hasOutput = true }: Attachment): void {
    const { defects } = this.#settings
    const isReturning = !this.isConnected && !this.#isPolled && known !== undefined
    if (isReturning) this.#clientResumes++
    const after = this.#begin(known, isReturning)
    this.#supersede(known !== undefined, isGet)
    this.#isPolled = false
    if (response.closed) return
    this.#hasConnected = true
    const isResumedToEnd = known !== undefined && this.#hasEnded && after === this.#log.length
    const isResumedShort = known !== undefined && this.#hasEnded && after < this.#log.length
    const isCancelled = known !== undefined && this.#hasEnded && this.#log.at(-1)?.message.method !== undefined
    const connection: Connection = {
      response,
      isGet,
      cursor: after,
      isBlocked: false,
      isHeld: false,
      opening: [],
      staysOpen:
        (isResumedToEnd && !isCancelled && defects.has('resume-at-the-very-end-stays-open')) ||
        (isResumedShort && defects.has('replay-of-finished-stream-stays-open')) ||
        (isCancelled && defects.has('cancelled-stream-stays-open-on-resume')),
      replaysTo: known === undefined ? 0 : this.#log.length,
      losesFrom: isReturning && !this.isStandalone && this.#losesNext ? this.#log.length : undefined,
    }
    this.#connections.push(connection)
    response.on('drain', () => this.#unblock(connection))
    response.on('close', () => this.#detach(connection))
    if (this.isStandalone && defects.has('idle-get-is-cut')) setTimeout(() => response.destroy(), 4_000).unref()
    this.#open(connection, { after, isGet, hasOutput })
    this.#replayOddly(connection, isGet)
    this.#pump()
  }

  /** Resolves once no reader is behind. */
  async drained(): Promise<void> {
    if (this.#connections.some(({ isBlocked }) => isBlocked)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Where a connection starts. What the client says it has is where it goes on, no event more and none less. */
  #begin(known: number | undefined, isReturning: boolean): number {
    const { defects } = this.#settings
    if (known === undefined) return this.#written
    const missed = this.#log.length - known
    const isThird = isReturning && this.#clientResumes === 3 && !this.isStandalone
    if (isThird && missed > 1 && defects.has('third-resume-loses-an-event')) return known + 1
    if (this.#serverCloses > 1 && defects.has('second-close-repeats-an-event')) return Math.max(0, known - 1)
    if (!this.isStandalone) return known
    const isLateThird = isReturning && this.#clientResumes === 3 && performance.now() - this.#lockedFrom > 1_000
    if (isLateThird && defects.has('third-return-skips-what-was-missed')) return this.#log.length
    if (isReturning && missed === 4 && defects.has('first-missed-push-lost')) return known + 1
    const isLater = isReturning && this.#clientResumes > 2 && missed > 1 && missed < 60
    if (isLater && defects.has('later-resume-loses-a-push')) return known + 1
    if (missed === 0 && known > 0 && defects.has('resume-without-news-repeats-an-event')) return known - 1
    return known
  }

  /** A dead peer looks open for minutes, so the newer connection wins (Multiple Connections 2: exactly one stream). */
  #supersede(isResume: boolean, isGet: boolean): void {
    const { defects } = this.#settings
    const isShared = ({ isGet: wasGet }: Connection): boolean =>
      (defects.has('second-get-shares-the-stream') && this.isStandalone && !isResume) ||
      (defects.has('two-resumes-share-the-stream') && wasGet && isGet && !this.isStandalone) ||
      (defects.has('resume-leaves-post-connected') && !wasGet && isGet)
    const [kept, superseded] = [this.#connections.filter(isShared), this.#connections.filter((one) => !isShared(one))]
    this.#connections = kept
    for (const { response } of superseded) response.end()
  }

  /** Head and first lines: at once, so that the client has an id and proxies pass the headers on. */
  #open(
    connection: Connection,
    { after, isGet, hasOutput }: { after: number; isGet: boolean; hasOutput: boolean },
  ): void {
    const { defects } = this.#settings
    const { response } = connection
    const place = { stream: this, after }
    // Clients from before 2025-11-25 parse the empty data as JSON, so they get no priming event.
    const isPrimed =
      (isSince(this.#session.version, '2025-11-25') || defects.has('older-clients-are-primed')) &&
      !(defects.has('no-priming-event-with-output') && hasOutput && !isGet)
    const primingId = isPrimed ? this.#session.nameEvent(place, this.tag) : undefined
    connection.opening = [
      () => {
        response.writeHead(200, toHeaders(this.#settings))
        response.flushHeaders()
      },
      () => response.write(toPreamble({ primingId, isGet }, this.#settings)),
    ]
    const isSilent = !isGet && !hasOutput
    if (isSilent && defects.has('head-comes-with-output')) return
    connection.opening.shift()?.()
    if (isSilent && defects.has('priming-event-comes-with-output')) return
    if (!isGet && hasOutput && defects.has('closed-before-the-first-event')) {
      connection.isHeld = true
      setTimeout(() => this.#unblock(connection), 20)
      return
    }
    if (!isGet && defects.has('compressed-stream-is-buffered') && isCompressible(response)) return
    this.#flushOpening(connection)
  }

  #flushOpening({ opening }: Connection): void {
    for (const write of opening.splice(0)) write()
  }

  #unblock(connection: Connection): void {
    connection.isBlocked = false
    connection.isHeld = false
    this.#pump()
    this.#wake()
  }

  #detach(connection: Connection): void {
    const isLast = this.#connections.length === 1 && this.#connections[0] === connection
    const isOld = !this.#connections.includes(connection)
    if (isOld && this.isStandalone && this.#settings.defects.has('old-close-cuts-off-the-new')) this.#connections = []
    this.#connections = this.#connections.filter((other) => other !== connection)
    if (isLast) this.#lockedFrom = performance.now()
    this.#session.touch()
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #nameNext({ method }: Message): string {
    const { defects } = this.#settings
    const place = { stream: this, after: this.#log.length + 1 }
    const isFifth = defects.has('fifth-events-share-an-id') && place.after === 5
    const isShared = method === undefined && defects.has('responses-share-an-id')
    const name = isFifth ? 'fifth' : isShared ? 'response' : undefined
    return this.#session.nameEvent(place, this.tag, name)
  }

  /** Writes what each connection has not had yet, as fast as it is read. */
  #pump(): void {
    for (const connection of [...this.#connections]) {
      while (connection.cursor < this.#log.length && !connection.isBlocked) {
        if (this.#isHeldBack(connection)) break
        this.#writeNext(connection)
      }
      this.#written = Math.max(this.#written, connection.cursor)
      const isComplete =
        this.#hasEnded && !connection.isHeld && connection.cursor >= this.#log.length && !connection.isBlocked
      if (isComplete && !connection.staysOpen) this.#endConnection(connection)
    }
  }

  #writeNext(connection: Connection): void {
    const index = connection.cursor++
    const event = this.#log[index]
    if (!event) return
    if (connection.losesFrom !== undefined && index >= connection.losesFrom && !this.#hasEnded) {
      connection.losesFrom = undefined
      return
    }
    this.#flushOpening(connection)
    const isQuestion = event.message.method !== undefined && event.message.id !== undefined
    if (isQuestion && index < connection.replaysTo && this.#settings.defects.has('questions-are-not-replayed')) return
    const text = toEvent(event.id, event.message, this.#settings, this.isStandalone)
    connection.isBlocked = !connection.response.write(text)
  }

  #endConnection(connection: Connection): void {
    const { defects } = this.#settings
    this.#flushOpening(connection)
    if (defects.has('stream-ends-within-a-block')) connection.response.write('retry: 500\n')
    // A cancelled call has no response; its stream ends all the same.
    const isLate =
      defects.has('stream-ends-late') && !connection.isGet && this.#log.at(-1)?.message.method === undefined
    if (isLate) setTimeout(() => connection.response.end(), 2_000)
    else connection.response.end()
  }

  #isHeldBack({ response, cursor, isGet, isHeld }: Connection): boolean {
    const { defects } = this.#settings
    if (isHeld) return true
    if (isGet || this.#hasEnded) return false
    if (defects.has('slow-events-are-buffered')) {
      const [first, second] = this.#log
      const isSlow = !first || !second || second.at - first.at > 70
      return isSlow && this.#log[cursor]?.message.id === undefined
    }
    return defects.has('compressed-stream-is-buffered') && isCompressible(response)
  }

  /** Replays that no right server makes. */
  #replayOddly(connection: Connection, isGet: boolean): void {
    const { defects } = this.#settings
    const missed = this.#log.slice(connection.cursor).filter((event) => event !== undefined)
    const write = ({ id, message }: Event): void => {
      connection.response.write(toEvent(id, message, this.#settings))
    }
    if (isGet && !this.isStandalone && this.#hasEnded && defects.has('replay-brings-pushes')) {
      for (const event of this.#session.standalone.#log) if (event) write(event)
    }
    const isLong = this.isStandalone ? missed.length > 100 : this.#hasEnded && missed.length > 24 && missed.length < 40
    const isSorted = this.isStandalone
      ? defects.has('long-push-replay-sorted-as-text')
      : defects.has('long-replay-sorted-as-text')
    if (!isLong || !isSorted) return
    const byText = missed.map((event, index) => ({ event, key: String(connection.cursor + index + 1) }))
    for (const { event } of byText.sort((a, b) => (a.key < b.key ? -1 : 1))) write(event)
    connection.cursor = this.#log.length
  }

  /** The oldest notifications make room; answers and requests stay. */
  #makeRoom(): void {
    if (this.#bytes > this.#settings.maxLogBytes) this.#overBudgetAt = performance.now()
    while (this.#bytes > this.#settings.maxLogBytes && this.#oldest < this.#log.length) {
      const event = this.#log[this.#oldest]
      if (event?.message.id === undefined && event !== undefined) {
        this.#bytes -= JSON.stringify(event.message).length
        this.#log[this.#oldest] = undefined
      }
      this.#oldest++
    }
  }
}

function isCompressible({ req }: ServerResponse): boolean {
  return /gzip/.test(String(req.headers['accept-encoding'] ?? ''))
}
