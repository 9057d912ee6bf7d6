import type { BusMessage, EventKind, LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import { Fifo } from '../queues/fifo.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import type { Fate, Feed, Follower, Place } from './feed.ts'
import type { LogWriter } from './log-writer.ts'

interface Level {
  readonly characters: number
  /** Of what is not yet stored. */
  readonly events: number
}

/**
 * What is not yet stored, and what is stored but not yet written: above the first level senders wait for the log and the
 * reader, below the second they go on.
 */
const highWater: Level = { characters: 1_048_576, events: 1_024 }
const lowWater: Level = { characters: 524_288, events: 512 }

/** Events that are counted for that at most: as many as the memory log keeps of a session. */
const maxUnread = 10_000

export interface StreamWriterOptions {
  readonly streamTag: string
  /** Of the calls the stream answers; empty for the standalone stream. */
  readonly requestIds: readonly RequestId[]
  readonly log: LogWriter
  /** It has ended, and nobody reads it any more. Comes again when somebody reads it once more and leaves. */
  readonly left?: ((stream: StreamWriter) => void) | undefined
  /** Somebody reads the stream now, or nobody does any more. */
  readonly attended?: ((isAttended: boolean) => void) | undefined
  /** See {@link Feed.isAnnounced}. */
  readonly isAnnounced?: boolean | undefined
}

/**
 * A numbered run of events, as its owner writes it. It outlives connections: the log keeps its events, at most one
 * reader at a time follows it here, and senders are held back by the reader's pace, not by memory.
 */
export class StreamWriter implements Feed {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  readonly isAnnounced: boolean
  isKnown: boolean
  /** Position in the session's log before the first event. */
  readonly origin: LogPosition
  head = 0
  headAt: LogPosition
  ended = false
  /** The log has said that it has the last event. If it has not, it may store it all the same, later. */
  isEndStored = false
  /** Highest index ever written to a connection. */
  written = 0
  /** Position of the event with that index. */
  writtenAt: LogPosition
  readonly #log: LogWriter
  readonly #left: ((stream: StreamWriter) => void) | undefined
  readonly #attended: ((isAttended: boolean) => void) | undefined
  /** Index given to the newest event, stored or not. */
  #assigned = 0
  #reader: Follower | undefined
  /** Sizes of the events that no reader has, in characters, from this index on; and their sum. */
  readonly #unread = new Fifo<number>()
  #unreadFrom = 1
  #backlog = 0
  /** Characters that the log has not settled. */
  #unsettled = 0
  #room: { promise: Promise<void>; open: () => void } | undefined
  #known: (() => void) | undefined

  constructor({ streamTag, requestIds, log, left, attended, isAnnounced }: StreamWriterOptions) {
    this.streamTag = streamTag
    this.requestIds = requestIds
    this.isAnnounced = isAnnounced ?? false
    this.isKnown = !this.isAnnounced
    this.origin = log.position
    this.headAt = this.origin
    this.writtenAt = this.origin
    this.#log = log
    this.#left = left
    this.#attended = attended
  }

  /** The reader that follows the stream here now. */
  get reader(): Follower | undefined {
    return this.#reader
  }

  /** Goes on where an earlier owner of the session stopped. */
  goOnAfter({ head, headPosition }: Pick<LogPage, 'head' | 'headPosition'>): void {
    this.#assigned = head
    this.head = head
    this.headAt = headPosition
  }

  /** `data` is one message as JSON text; empty to only announce or end the stream. */
  append(kind: EventKind, data: string, last = false): void {
    const { streamTag, requestIds } = this
    const position = this.#log.nextPosition()
    this.#unsettled += data.length
    this.#log.append({ streamTag, index: ++this.#assigned, position, kind, data, last, requestIds }, this)
  }

  /** Appends a request to the client. Call what it returns when the request needs no answer any more. */
  ask(data: string): () => void {
    this.append('message', data)
    const index = this.#assigned
    return () => this.#log.settle(this.streamTag, index)
  }

  /** Does what must wait until a client can have an id of the stream. */
  whenKnown(work: () => void): void {
    if (this.isKnown) work()
    else this.#known = work
  }

  announce(events: readonly LogEvent[]): BusMessage | undefined {
    return this.#reader?.announce?.(events)
  }

  /** An event is in the log, or could not be stored: then only a reader that is up to date gets it. */
  settled(event: LogEvent, fate: Fate): void {
    const isStored = fate === 'stored'
    this.head = event.index
    this.headAt = event.position
    this.#unsettled -= event.data.length
    if (event.last) {
      this.ended = true
      this.isEndStored = isStored
    }
    this.#reader?.deliver(event, fate)
    // Most are read by now. A reader on another node may have it before its owner hears that it is there.
    if (event.index > this.written) this.#countUnread(event)
    if (isStored && !this.isKnown) this.#becomeKnown()
    if (this.ended) this.#finish()
    else this.#openRoomIfAny()
  }

  #becomeKnown(): void {
    this.isKnown = true
    this.#known?.()
    this.#known = undefined
  }

  /**
   * Resolves when a sender may go on; `undefined` when it need not wait. A call's sender also waits while the client is
   * away, so that the client misses nothing: it comes back, or the call is abandoned. Whether anybody will ever read
   * the standalone stream is unknown, so there the sender goes on and the log drops the oldest events. All wait for a
   * log that is slower than they are.
   */
  room(): Promise<void> | undefined {
    if (this.ended || !this.#holds(highWater)) return undefined
    this.#room ??= createRoom()
    return this.#room.promise
  }

  /** No event follows and nobody waits any longer. */
  close(): void {
    this.ended = true
    this.#openRoom()
    this.#reader?.cut()
  }

  // ---- Feed ----

  attach(reader: Follower): void {
    const before = this.#reader
    this.#reader = reader
    before?.cut()
    this.#attended?.(true)
  }

  detach(reader: Follower): void {
    if (this.#reader !== reader) return
    this.#reader = undefined
    if (this.requestIds.length === 0) this.#openRoom()
    this.#attended?.(false)
    if (this.ended) this.#left?.(this)
  }

  advanced({ index, position }: Place): void {
    if (index <= this.written) return
    this.written = index
    this.writtenAt = position
    while (this.#unreadFrom <= index && this.#unread.length > 0) this.#forgetOldest()
    this.#openRoomIfAny()
  }

  /** What no reader has yet holds senders back. What the log has surely dropped by now does not. */
  #countUnread({ index, data }: LogEvent): void {
    if (this.#unread.length === 0) this.#unreadFrom = index
    this.#unread.push(data.length)
    this.#backlog += data.length
    if (this.#unread.length > maxUnread) this.#forgetOldest()
  }

  #forgetOldest(): void {
    this.#backlog -= this.#unread.shift() ?? 0
    this.#unreadFrom++
  }

  #finish(): void {
    this.#openRoom()
    if (!this.#reader) this.#left?.(this)
  }

  #openRoomIfAny(): void {
    if (this.#room && !this.#holds(lowWater)) this.#openRoom()
  }

  /** More than this waits for the log, or for a reader where there is one or will be. */
  #holds({ characters, events }: Level): boolean {
    const isRead = this.requestIds.length > 0 || this.#reader !== undefined
    const isUnsettled = this.#unsettled > characters || this.#assigned - this.head > events
    return isUnsettled || (isRead && this.#backlog > characters)
  }

  #openRoom(): void {
    this.#room?.open()
    this.#room = undefined
  }
}

function createRoom(): { promise: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
