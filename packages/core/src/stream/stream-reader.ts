import type { EventLog, LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import { pieceLength } from '../http/paced-sink.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import { type EventPlace, toGoneEnd } from './event-id.ts'
import type { Fate, Feed, Follower, Place } from './feed.ts'
import { toGoneAnswer } from './gone-answer.ts'
import { eventEnd, type StreamFormat } from './sse-format.ts'
import type { TurnBuffer } from './turn-buffer.ts'

/** Events read from the log at once. */
export const pageSize = 64

/** How often a log that fails is read for a client that has no id to come back with, each second at most. */
const maxTries = 30

/** The response that a reader fills. */
export interface Response {
  /** Ends the response cleanly. Does not end the stream. */
  cut(): void
}

/** The last event that a client has. */
export interface Cursor {
  readonly index: number
  readonly position: LogPosition
  /**
   * It had more of the stream, which went with an earlier owner's log, or nobody was there to append to it for a time: it
   * hears so before it gets a new cursor.
   */
  readonly historyGone?: boolean
  /** Events after it are gone, and the reply says so. */
  readonly isGapTold?: boolean
}

export interface StreamReaderOptions {
  readonly feed: Feed
  readonly sessionKey: string
  readonly log: EventLog
  readonly format: StreamFormat
  readonly from: Cursor
  /** Messages that make up for dropped events of the standalone stream: see `history-gap.ts`. */
  readonly makeUpForGap: () => readonly string[]
  readonly onError: (error: unknown) => void
}

/**
 * Follows a stream from a cursor: writes events as they come while there is room, and otherwise reads on from the log.
 * The log is the buffer, so a reader holds nothing but its cursor.
 */
export class StreamReader implements Follower {
  readonly #options: StreamReaderOptions
  readonly #feed: Feed
  readonly #response: Response
  readonly #buffer: TurnBuffer
  #cursor: number
  /** Position of the event with that index. */
  #cursorAt: LogPosition
  #isReading = false
  /** The log failed, and the client has no id to come back with. */
  #isToTryAgain = false
  #triesLeft = maxTries
  #isAttached = false
  /** Index in the last id that the client was given. */
  #given: number | undefined
  /** The reply said that events after the cursor are gone. */
  #isGapTold: boolean
  #owesMakeUp = false
  #sawLast: boolean

  constructor(response: Response, buffer: TurnBuffer, options: StreamReaderOptions) {
    this.#response = response
    this.#buffer = buffer
    this.#options = options
    this.#feed = options.feed
    this.#cursor = options.from.index
    this.#cursorAt = options.from.position
    this.#isGapTold = options.from.isGapTold ?? false
    // A reader that comes back with the last id of a finished stream has everything.
    this.#sawLast = options.feed.ended && options.from.index >= options.feed.head
  }

  /** Index of the last event that was written. */
  get cursor(): number {
    return this.#cursor
  }

  open(): void {
    this.#isAttached = true
    this.#feed.attach(this)
    try {
      this.#begin()
    } catch (error) {
      this.#fail(error)
    }
  }

  #begin(): void {
    const { format, from, makeUpForGap } = this.#options
    const { streamTag, isAnnounced } = this.#feed
    const { index, position } = from
    const place = isAnnounced && index === 0 ? undefined : { streamTag, index, position }
    this.#given = place?.index
    this.#buffer.add(format.opening(place, from.historyGone ? makeUpForGap() : []))
  }

  /** Before a planned end: without an id the client could not come back. */
  giveCursor(): void {
    if (this.mayEnd || !this.#feed.isKnown) return
    const { format, from, onError } = this.#options
    this.#given = from.index
    try {
      this.#buffer.add(format.priming({ ...from, streamTag: this.#feed.streamTag }))
    } catch (error) {
      // The codec may be somebody else's.
      onError(error)
    }
  }

  /** Its client has the end, or an id to come back with. To others a clean end would look like one without an answer. */
  get mayEnd(): boolean {
    return !this.#isAttached || this.#given !== undefined || this.#sawLast
  }

  close(): void {
    if (!this.#isAttached) return
    this.#isAttached = false
    this.#feed.detach(this)
  }

  cut(): void {
    this.#response.cut()
  }

  sayFarewell(retryMs: number): void {
    if (this.#buffer.hasRoom) this.#buffer.add(this.#options.format.comeBackIn(retryMs))
    this.#response.cut()
  }

  /**
   * A reader that is behind finds it in the log later. What another node's session does not have is nothing for a client
   * that can go there; one that has no id to go on from gets it here or never.
   */
  deliver(event: LogEvent, fate: Fate): void {
    if (fate === 'fenced' && this.#given !== undefined && this.#options.format.canResume) return this.#response.cut()
    if (this.#isReading || !this.#buffer.hasRoom) return
    try {
      if (this.#cursor === event.index - 1) this.#write(event, fate === 'stored')
      this.#pump()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** A client that does not read is told once it does. */
  makeUp(): void {
    this.#owesMakeUp = true
    this.pump()
  }

  /**
   * Writes what the log has after the cursor, as long as there is room; cuts the connection when the stream has ended.
   */
  pump(): void {
    try {
      this.#pump()
    } catch (error) {
      this.#fail(error)
    }
  }

  #pump(): void {
    const { log, sessionKey } = this.#options
    const { streamTag } = this.#feed
    if (this.#owesMakeUp && this.#canWrite) this.#makeUp()
    while (this.#canWrite && this.#cursor < this.#feed.head) {
      // At its beginning a stream has a position of its own in each term: what is before that may be its own.
      const from = this.#cursor > 0 ? this.#cursorAt : undefined
      const to = { index: this.#feed.head, position: this.#feed.headAt }
      const page = log.read(sessionKey, streamTag, this.#cursor, pageSize, from)
      if (isThenable(page)) return this.#pumpLater(page, to)
      this.#writePage(page, to)
    }
    if (!this.#canWrite || !this.#feed.ended) return
    if (!this.#sawLast) this.#writeGoneAnswers()
    this.#response.cut()
  }

  get #canWrite(): boolean {
    return !this.#isReading && this.#buffer.hasRoom
  }

  #pumpLater(reading: PromiseLike<LogPage | undefined>, to: Place): void {
    this.#isReading = true
    const write = (page: LogPage | undefined): void => {
      this.#isReading = false
      this.#triesLeft = maxTries
      if (this.#isAttached) this.#writePage(page, to)
      this.#pump()
    }
    const failed = (error: unknown): void => {
      this.#isReading = false
      if (this.mayEnd || --this.#triesLeft === 0) return this.#fail(error)
      this.#options.onError(error)
      this.#isToTryAgain = true
    }
    Promise.resolve(reading)
      .then(write, failed)
      .catch((error: unknown) => this.#fail(error))
  }

  /** Now and then: a client without an id would never get what the log could not give. */
  tryAgain(): void {
    if (!this.#isToTryAgain) return
    this.#isToTryAgain = false
    this.pump()
  }

  /** The log or the codec, which may be somebody else's code, has failed: the client comes back with its cursor. */
  #fail(error: unknown): void {
    this.#options.onError(error)
    this.#response.cut()
  }

  /** `to`: how far the stream had come when the log was asked. What has come since, it is asked for next. */
  #writePage(page: LogPage | undefined, to: Place): void {
    const events = page?.events ?? []
    for (const event of events) {
      if (!this.#buffer.hasRoom || (event.index > this.#cursor + 1 && !this.#tellGap())) return
      this.#write(event, true)
    }
    if (events.length > 0) return
    // The newest event is never dropped, so what is missing up to the head was never stored: coming back would not
    // help.
    this.#writeGap()
    this.#advance(to)
  }

  #advance(to: Place): void {
    this.#cursor = to.index
    this.#cursorAt = to.position
    this.#isGapTold = false
    this.#feed.advanced(to)
  }

  #write(event: LogEvent, isStored: boolean): void {
    const { format, log, sessionKey } = this.#options
    if (isStored) this.#given = event.index
    if (event.data !== '') this.#writeMessage(event.data, isStored ? event : undefined)
    else if (!event.last && isStored) this.#buffer.add(format.priming(event))
    this.#advance(event)
    if (event.last) {
      this.#sawLast = true
      log.release(sessionKey, this.#feed.streamTag)
    }
  }

  #writeMessage(data: string, place?: EventPlace): void {
    const { format } = this.#options
    if (data.length > pieceLength) this.#buffer.addLarge(format.head(place), data, eventEnd)
    else this.#buffer.add(format.message(data, place))
  }

  /**
   * Events between the cursor and the next one are gone. A client that can come back is cut off, once for each gap: the
   * reply to its next request says so, in a header. Others hear it in the stream, also who has no id yet and can be given
   * none. `false`: nothing more is written.
   */
  #tellGap(): boolean {
    const canComeBack = this.#options.format.canResume && (this.mayEnd || this.#feed.isKnown)
    if (!this.#isGapTold && canComeBack && !this.#feed.ended) {
      this.#response.cut()
      return false
    }
    this.#writeGap()
    return true
  }

  #writeGap(): void {
    this.#buffer.add(this.#options.format.gap)
    this.#makeUp()
  }

  #makeUp(): void {
    const { format, makeUpForGap } = this.#options
    this.#owesMakeUp = false
    for (const message of makeUpForGap()) this.#buffer.add(format.message(message))
  }

  /** The answer is not in the log: the client's call must not hang. The last one moves the cursor to the end. */
  #writeGoneAnswers(): void {
    this.#sawLast = true
    const { streamTag, requestIds, head, headAt } = this.#feed
    const end = toGoneEnd(streamTag, head, headAt)
    for (const [i, requestId] of requestIds.entries()) {
      const text = toGoneAnswer(requestId)
      const isLast = i === requestIds.length - 1 && head > (this.#given ?? -1)
      this.#buffer.add(isLast ? this.#options.format.message(text, end) : this.#options.format.message(text))
    }
  }
}
