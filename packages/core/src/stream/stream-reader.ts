import type { EventLog, LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import { type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import type { StreamFormat } from './sse-format.ts'
import type { TurnBuffer } from './turn-buffer.ts'

/** Events read from the log at once. */
const pageSize = 64

/** A stream as its readers know it. On its owner that is the writer; of a stream that ended long ago, what the log still has. */
export interface Feed {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  /** Index of the newest event that readers may see. */
  readonly head: number
  /** Place of that event. */
  readonly headAt: LogPosition
  /** The last event is visible. */
  readonly ended: boolean
  /** A reader follows the stream. The one before is cut, never the new one refused: dead peers look open for minutes. */
  attach(reader: StreamReader): void
  detach(reader: StreamReader): void
  /** A reader has written an event. */
  wrote(event: LogEvent): void
}

/** A stream of which only the log knows. Nothing is appended to it any more: what has no end there has lost its call. */
export function toStoredFeed(streamTag: string, { head, headPosition, requestIds }: LogPage): Feed {
  const ignore = (): void => undefined
  return {
    streamTag,
    requestIds,
    head,
    headAt: headPosition,
    ended: true,
    attach: ignore,
    detach: ignore,
    wrote: ignore,
  }
}

/** The response that a reader fills. */
export interface Response {
  /** Ends the response, not the stream. */
  cut(): void
}

/** The last event that a client has. */
export interface Cursor {
  readonly index: number
  readonly position: LogPosition
  /** It had more of the stream, which went with an earlier owner's log: it hears of that before it gets a new cursor. */
  readonly historyLost?: boolean
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
 * Follows a stream from a cursor: writes events as they come while there is room, and otherwise reads on from the log. The log is the buffer, so a reader holds nothing but its cursor.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions
  readonly #feed: Feed
  readonly #response: Response
  readonly #buffer: TurnBuffer
  #cursor: number
  #isReading = false
  #isAttached = false
  #sawLast: boolean

  constructor(response: Response, buffer: TurnBuffer, options: StreamReaderOptions) {
    this.#response = response
    this.#buffer = buffer
    this.#options = options
    this.#feed = options.feed
    this.#cursor = options.from.index
    // A reader that comes back with the last id of a finished stream has everything.
    this.#sawLast = options.feed.ended && options.from.index >= options.feed.head
  }

  open(): void {
    const { format, from, makeUpForGap } = this.#options
    this.#isAttached = true
    this.#feed.attach(this)
    const place = { streamTag: this.#feed.streamTag, index: from.index, position: from.position }
    this.#buffer.add(format.opening(place, from.historyLost ? makeUpForGap() : []))
  }

  close(): void {
    if (!this.#isAttached) return
    this.#isAttached = false
    this.#feed.detach(this)
  }

  /** Another reader follows the stream now, or it has no more to give. */
  cut(): void {
    this.#response.cut()
  }

  /** A new event. A reader that is behind finds it in the log later. */
  deliver(event: LogEvent, isStored: boolean): void {
    if (this.#isReading || !this.#buffer.hasRoom) return
    if (this.#cursor === event.index - 1) this.#write(event, isStored)
    this.pump()
  }

  /** Writes what the log has after the cursor, as long as there is room; ends the response when the stream has ended. */
  pump(): void {
    const { log, sessionKey } = this.#options
    const { streamTag } = this.#feed
    while (this.#canWrite && this.#cursor < this.#feed.head) {
      const page = log.read(sessionKey, streamTag, this.#cursor, pageSize)
      if (isThenable(page)) return this.#pumpLater(page)
      this.#writePage(page)
    }
    if (!this.#canWrite || !this.#feed.ended) return
    if (!this.#sawLast) this.#writeLostAnswers()
    this.#response.cut()
  }

  get #canWrite(): boolean {
    return !this.#isReading && this.#buffer.hasRoom
  }

  #pumpLater(reading: PromiseLike<LogPage | undefined>): void {
    this.#isReading = true
    Promise.resolve(reading)
      .then((page) => {
        this.#isReading = false
        if (this.#isAttached) this.#writePage(page)
        this.pump()
      })
      // The log cannot be read now: the client comes back with its cursor.
      .catch((error: unknown) => {
        this.#isReading = false
        this.#options.onError(error)
        this.#response.cut()
      })
  }

  #writePage(page: LogPage | undefined): void {
    const events = page?.events ?? []
    for (const event of events) {
      if (!this.#buffer.hasRoom) return
      if (event.index > this.#cursor + 1) this.#writeGap()
      this.#write(event, true)
    }
    if (events.length > 0) return
    // What is missing up to the head was dropped, or never stored.
    this.#writeGap()
    this.#cursor = this.#feed.head
  }

  #write(event: LogEvent, isStored: boolean): void {
    const { format, log, sessionKey } = this.#options
    this.#cursor = event.index
    if (event.data !== '') this.#buffer.add(isStored ? format.message(event.data, event) : format.message(event.data))
    this.#feed.wrote(event)
    if (event.last) {
      this.#sawLast = true
      log.release(sessionKey, this.#feed.streamTag)
    }
  }

  #writeGap(): void {
    const { format, makeUpForGap } = this.#options
    for (const message of makeUpForGap()) this.#buffer.add(format.message(message))
  }

  /** The answer is not in the log: the client's call must not hang. The last one moves the cursor to the end. */
  #writeLostAnswers(): void {
    const { streamTag, requestIds, head, headAt } = this.#feed
    const end = { streamTag, index: head, position: headAt }
    for (const [i, requestId] of requestIds.entries()) {
      const text = toLostAnswer(requestId)
      const isLast = i === requestIds.length - 1
      this.#buffer.add(isLast ? this.#options.format.message(text, end) : this.#options.format.message(text))
    }
  }
}

/** For a request whose answer existed and is not kept any more. */
function toLostAnswer(requestId: RequestId): string {
  return JSON.stringify(toErrorMessage(rpcCode.refused, 'The answer to this request is no longer kept', requestId))
}
