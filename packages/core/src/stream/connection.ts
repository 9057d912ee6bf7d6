import type { LogEvent, LogPage } from '../backplane/backplane.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../http/http.ts'
import type { Link } from '../queues/linked-list.ts'
import { type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import type { EventIdCodec } from './event-id.ts'
import type { SessionLog } from './session-log.ts'
import { comment, formatEvent, formatEventWithoutId, formatPriming, formatRetry } from './sse-format.ts'
import type { Stream } from './stream.ts'

/** Events read from the log at once. */
const pageSize = 64

/** Characters that are gathered before they are written without waiting for the rest of what runs now. */
const gatherUpTo = 16_384

/**
 * Calls back when the running code is through, with every promise that it settles. Where a runtime does not know that
 * moment, each event is written by itself.
 */
const afterThisTurn: (work: () => void) => void = globalThis.process?.nextTick ?? queueMicrotask

export interface ConnectionOptions {
  readonly stream: Stream
  readonly log: SessionLog
  readonly eventIds: EventIdCodec
  /** Index of the last event the reader has. */
  readonly cursor: number
  /** Id of the event that starts the stream with an id and empty data; `undefined` for clients that do not know it. */
  readonly primingId: string | undefined
  readonly retryMs: number
  /** The reader missed events of which the log knows nothing: it is told before it gets a new cursor. */
  readonly historyLost: boolean
  /** When the server ends the connection by itself, in milliseconds since the epoch; `Infinity`: never. */
  readonly endsAt: number
  /** Messages that make up for events of the standalone stream that were dropped: see `history-gap.ts`. */
  readonly makeUpForGap: () => readonly string[]
  readonly onError: (error: unknown) => void
}

/** What the watch holds a connection to. Milliseconds. */
export interface ConnectionLimits {
  readonly keepAliveMs: number
  readonly stallMs: number
}

/**
 * One HTTP response that carries a stream. The log is the buffer: a connection keeps a cursor, writes while the reader
 * keeps up, and otherwise reads on from the log when it has drained.
 */
export class Connection implements EventStreamBody, SinkEvents {
  /** Its place among the open ones. The watch's own. */
  watched: Link<Connection> | undefined
  readonly #options: ConnectionOptions
  readonly #stream: Stream
  #sink: EventSink | undefined
  #cursor: number
  /** Text that is written at the end of this turn: a burst of events is one write, and so is a stream that is answered at once. */
  #gathered = ''
  #willFlush = false
  #blocked = false
  #writing = false
  #reading = false
  #closed = false
  #attached = false
  #endWhenOpen = false
  #sawLast: boolean
  #activeAt = Date.now()

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#stream = options.stream
    this.#cursor = options.cursor
    // A reader that comes back with the last id of a finished stream has everything.
    this.#sawLast = options.stream.ended && options.cursor >= options.stream.head
  }

  open(sink: EventSink): SinkEvents {
    this.#sink = sink
    this.#attached = true
    this.#stream.attach(this)
    this.#write(this.#opening())
    if (this.#endWhenOpen) this.end()
    else this.#pump()
    return this
  }

  /** `retry` first, then a cursor or a comment: whatever happens next, the client knows how to come back. */
  #opening(): string {
    const { primingId, retryMs, historyLost, makeUpForGap } = this.#options
    if (!this.#stream.resumable) return comment
    const madeUp = historyLost ? makeUpForGap().map(formatEventWithoutId).join('') : ''
    return formatRetry(retryMs) + madeUp + (primingId === undefined ? comment : formatPriming(primingId))
  }

  /** A new event of the stream. A reader that is behind finds it in the log later. */
  deliver(event: LogEvent, stored = true): void {
    if (this.#closed || this.#blocked || this.#reading) return
    if (this.#cursor === event.index - 1) this.#writeEvent(event, stored)
    this.#pump()
  }

  drain(): void {
    this.#activeAt = Date.now()
    this.#blocked = false
    // Some sinks ask for more while they are being written to.
    if (!this.#writing) this.#pump()
  }

  progress(): void {
    this.#activeAt = Date.now()
  }

  gone(): void {
    this.#closed = true
    this.#gathered = ''
    if (!this.#attached) return
    this.#attached = false
    this.#stream.detach(this)
  }

  /** Ends the connection, not the stream. One that is not open yet opens first: its client needs the cursor. */
  end(): void {
    if (this.#closed) return
    if (!this.#sink) {
      this.#endWhenOpen = true
      return
    }
    const rest = this.#gathered
    this.gone()
    this.#sink.end(rest)
  }

  /** Called by the watch: closes a stalled reader, ends an old connection, keeps a silent one open. */
  tick(now: number, { keepAliveMs, stallMs }: ConnectionLimits): void {
    if (this.#closed) return
    const silentMs = now - this.#activeAt
    if (this.#blocked) {
      if (silentMs >= stallMs) this.drop()
    } else if (now >= this.#options.endsAt) {
      this.end()
    } else if (keepAliveMs > 0 && silentMs >= keepAliveMs) {
      this.#write(comment)
    }
  }

  /** Cuts the connection off, with whatever its reader has not taken. */
  drop(): void {
    this.gone()
    this.#sink?.destroy()
  }

  #write(text: string): void {
    this.#gathered += text
    if (this.#gathered.length >= gatherUpTo) return this.#flush()
    if (this.#willFlush) return
    this.#willFlush = true
    afterThisTurn(() => {
      this.#willFlush = false
      this.#flush()
    })
  }

  #flush(): void {
    const text = this.#gathered
    if (text === '') return
    this.#gathered = ''
    this.#activeAt = Date.now()
    this.#writing = true
    const goOn = this.#sink?.write(text)
    this.#writing = false
    if (goOn === false) this.#blocked = true
  }

  #writeEvent(event: LogEvent, stored = true): void {
    this.#cursor = event.index
    if (event.data !== '') this.#write(this.#format(event, stored))
    this.#stream.wrote(event)
    if (event.last) {
      this.#sawLast = true
      this.#options.log.release(this.#stream)
    }
  }

  #format(event: LogEvent, stored: boolean): string {
    return stored && this.#stream.resumable
      ? formatEvent(this.#options.eventIds.encode(event), event.data)
      : formatEventWithoutId(event.data)
  }

  /** Writes what the log has after the cursor, as long as the reader keeps up; ends when the stream has ended. */
  #pump(): void {
    while (!this.#closed && !this.#blocked && !this.#reading && this.#cursor < this.#stream.head) {
      const page = this.#options.log.read(this.#stream.streamTag, this.#cursor, pageSize)
      if (page instanceof Promise) return this.#pumpLater(page)
      this.#writePage(page)
    }
    if (this.#closed || this.#blocked || this.#reading || !this.#stream.ended) return
    if (!this.#sawLast) this.#writeLostAnswers()
    this.end()
  }

  #pumpLater(reading: Promise<LogPage | undefined>): void {
    this.#reading = true
    reading
      .then((page) => {
        this.#reading = false
        if (!this.#closed) this.#writePage(page)
        this.#pump()
      })
      // The log cannot be read now: the client comes back with its cursor.
      .catch((error: unknown) => {
        this.#reading = false
        this.#options.onError(error)
        this.end()
      })
  }

  #writePage(page: LogPage | undefined): void {
    const events = page?.events ?? []
    for (const event of events) {
      if (this.#blocked || this.#closed) return
      if (event.index > this.#cursor + 1) this.#writeGap()
      this.#writeEvent(event)
    }
    if (events.length > 0) return
    // What is missing up to the head was dropped, or never stored.
    this.#writeGap()
    this.#cursor = this.#stream.head
  }

  #writeGap(): void {
    for (const message of this.#options.makeUpForGap()) this.#write(formatEventWithoutId(message))
  }

  /** The answer is not in the log: the client's call must not hang. The last one moves the cursor to the end. */
  #writeLostAnswers(): void {
    const { streamTag, requestIds, resumable, head, headAt } = this.#stream
    const endId = this.#options.eventIds.encode({ streamTag, index: head, position: headAt })
    for (const [i, requestId] of requestIds.entries()) {
      const isLast = resumable && i === requestIds.length - 1
      this.#write(isLast ? formatEvent(endId, toLostAnswer(requestId)) : formatEventWithoutId(toLostAnswer(requestId)))
    }
  }
}

/** For a request whose answer existed and is not kept any more. */
function toLostAnswer(requestId: RequestId): string {
  return JSON.stringify(toErrorMessage(rpcCode.refused, 'The answer to this request is no longer kept', requestId))
}
