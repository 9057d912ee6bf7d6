import type { Activity } from '../attendance/seat.ts'
import type { LogEvent, LogPosition } from '../backplane/backplane.ts'
import type { HttpReply } from '../http/http.ts'
import { afterThisTurn } from '../promises/after-this-turn.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import { Connection, type HandedOver } from '../stream/connection.ts'
import type { Fate, Feed, Follower, Place } from '../stream/feed.ts'
import { Following } from '../stream/following.ts'
import type { Neighbours } from './neighbours.ts'
import type { WireStream, Word } from './wire.ts'

/** Time, in milliseconds, in which what readers have read is gathered before it is told. */
const tellMs = 50

/** Time, in milliseconds, between two attempts to find who has the session of a stream now, and how many there are. */
const retryMs = 1_000
const maxTries = 10

export interface RelayedFeedsParts {
  readonly node: () => string
  readonly say: (node: string, word: Word) => void
  readonly neighbours: Neighbours
  readonly onError: (error: unknown) => void
}

/** Finds the session of a stream, wherever it lives now, and listens there from this place. */
export type Recover = (place: Place) => Promise<HttpReply>

/** Streams of other nodes that clients of this one read. */
export class RelayedFeeds {
  readonly #parts: RelayedFeedsParts
  readonly #feeds = new Map<string, RelayedFeed>()
  /** Of each session that clients of this node follow by GET. */
  readonly #following = new Map<string, Following>()
  readonly #untold = new Set<RelayedFeed>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(parts: RelayedFeedsParts) {
    this.#parts = parts
  }

  /** Whether a stream of a call is read: its client waits for the answer. */
  get hasCalls(): boolean {
    for (const { requestIds } of this.#feeds.values()) if (requestIds.length > 0) return true
    return false
  }

  /** This node goes away: ends the responses, and says when to come back. `after` gives the time in milliseconds. */
  sayFarewell(after: () => number): void {
    for (const feed of [...this.#feeds.values()]) feed.sayFarewell(after())
  }

  add(id: string, owner: string, stream: WireStream, recover: Recover): Feed {
    const { node, neighbours, onError } = this.#parts
    const feed = new RelayedFeed(stream, {
      ...{ recover, neighbours, owner, onError },
      tell: (place, closed) => this.#parts.say(owner, { type: 'read', id, from: node(), closed, ...place }),
      willTell: () => this.#willTell(feed),
      left: () => {
        this.#feeds.delete(id)
        this.#untold.delete(feed)
      },
    })
    this.#feeds.set(id, feed)
    return feed
  }

  /** Opens a connection for a client of this node that follows a session of another by GET. */
  follow(sessionKey: string, connect: (closed: () => void) => Connection): Connection {
    const following = this.#following.get(sessionKey) ?? new Following()
    this.#following.set(sessionKey, following)
    return following.open((closed) =>
      connect(() => {
        closed()
        if (following.size === 0) this.#following.delete(sessionKey)
      }),
    )
  }

  hear(word: Word): void {
    const feed = this.#feeds.get(word.id)
    // One that stood still and has lost the session may still speak of it.
    if (feed?.hasMoved) return
    if (word.type === 'came') feed?.told(word)
    else if (word.type === 'unknown') feed?.ownerGone()
    else if (word.type === 'makeUp') feed?.makeUp()
    else if (word.type === 'cut' && word.retryMs === undefined) feed?.cutByOwner(word.isKnown === true)
    else if (word.type === 'cut') feed?.sayFarewell(word.retryMs as number)
  }

  /** Says of all that they are read, and so hears how far they have come. */
  lookAfter(): void {
    for (const feed of this.#feeds.values()) feed.tell()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #willTell(feed: RelayedFeed): void {
    this.#untold.add(feed)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const untold of this.#untold) untold.tell()
      this.#untold.clear()
    }, tellMs)
  }
}

interface RelayedFeedParts {
  readonly owner: string
  readonly neighbours: Neighbours
  readonly recover: Recover
  readonly onError: (error: unknown) => void
  /** Tells the owner how far the stream is read. */
  readonly tell: (place: Place, closed: boolean) => void
  readonly willTell: () => void
  readonly left: () => void
}

/**
 * A stream of another node as its reader here knows it. Words from the owner say how far it has come, with short events
 * that are stored; the rest is read from the log. When the owner is gone the stream goes on from who has the session then.
 */
class RelayedFeed implements Feed, Follower {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  readonly isAnnounced: boolean
  isKnown: boolean
  head: number
  headAt: LogPosition
  ended: boolean
  readonly #parts: RelayedFeedParts
  readonly #stopWatching: () => void
  #read: Place
  #reader: Follower | undefined
  /** Where it goes on when the owner is gone. */
  #next: Feed | undefined
  /** Of the session there: where that is this node, its client is here. */
  #activity: Activity | undefined
  #isRecovering = false
  #toldEarly: (() => void) | undefined

  constructor(stream: WireStream, parts: RelayedFeedParts) {
    this.streamTag = stream.streamTag
    this.requestIds = stream.requestIds
    this.isAnnounced = stream.isAnnounced
    // Of a stream that is to be cut at once, it is.
    this.isKnown = !stream.isAnnounced || stream.isCut
    this.head = stream.head
    this.headAt = stream.headAt
    this.ended = stream.ended
    this.#read = stream.from
    this.#parts = parts
    this.#stopWatching = parts.neighbours.watch(parts.owner, () => this.ownerGone())
  }

  /** It goes on from another owner. */
  get hasMoved(): boolean {
    return this.#next !== undefined
  }

  // ---- Feed ----

  attach(reader: Follower): void {
    this.#reader = reader
    // It was told before its client's response was open, which it is in this turn.
    if (this.#toldEarly) afterThisTurn(this.#toldEarly)
  }

  detach(reader: Follower): void {
    if (this.#reader !== reader) return
    this.#reader = undefined
    this.leave()
  }

  /** Nobody here reads it, and its owner hears so. */
  leave(): void {
    this.#stopWatching()
    this.#parts.left()
    if (this.#next) this.#next.detach(this)
    else this.#parts.tell(this.#read, true)
    this.#activity?.finished()
  }

  advanced(to: Place): void {
    this.#read = { index: to.index, position: to.position }
    if (this.#next) this.#next.advanced(to)
    else this.#parts.willTell()
  }

  // ---- Follower: from the owner ----

  deliver({ index, position, last }: LogEvent, fate: Fate): void {
    // This node has had the session itself, and has lost it.
    if (fate === 'fenced') this.cut()
    else this.came({ index, position }, last)
  }

  pump(): void {
    const { head, headAt, ended } = this.#next ?? this
    this.came({ index: head, position: headAt }, ended)
  }

  makeUp(): void {
    this.#reader?.makeUp()
  }

  cut(): void {
    if (this.#reader) this.#reader.cut()
    else this.#toldEarly = () => this.cut()
  }

  cutByOwner(isKnown: boolean): void {
    if (isKnown) this.isKnown = true
    this.cut()
  }

  sayFarewell(retryMs: number): void {
    if (this.#reader) this.#reader.sayFarewell(retryMs)
    else this.#toldEarly = () => this.sayFarewell(retryMs)
  }

  /** Events that come right behind what its reader has are given to it as they would be on their own node. */
  told({ index, position, ended, events = [] }: Extract<Word, { type: 'came' }>): void {
    const { streamTag, requestIds } = this
    for (const event of events) {
      if (event.index !== this.head + 1) continue
      this.head = event.index
      this.headAt = event.position
      this.#reader?.deliver({ streamTag, requestIds, kind: 'message', ...event }, 'stored')
    }
    this.came({ index, position }, ended)
  }

  came({ index, position }: Place, ended: boolean): void {
    if (index >= this.head) {
      this.head = index
      this.headAt = position
    }
    if (ended) this.ended = true
    this.#reader?.pump()
  }

  tell(): void {
    if (!this.#next) this.#parts.tell(this.#read, false)
  }

  // ---- The owner is gone ----

  ownerGone(): void {
    if (this.#isRecovering || this.#next || !this.#reader) return
    this.#isRecovering = true
    void this.#recover(maxTries)
  }

  async #recover(tries: number): Promise<void> {
    try {
      const place = this.#read
      const reply = await this.#parts.recover(place)
      if (reply.status >= 500) throw new Error(`A stream could not be followed on its new node: ${reply.body}`)
      if (reply.body instanceof Connection) this.#goOnWith(reply.body.handOver(), place)
      else this.#goneFor(reply.status)
      this.#isRecovering = false
    } catch (error) {
      if (tries > 1 && this.#reader) setTimeout(() => void this.#recover(tries - 1), retryMs)
      else {
        this.#parts.onError(error)
        this.#goneFor(503)
      }
    }
  }

  #goOnWith({ feed, from, activity }: HandedOver, place: Place): void {
    // What the reader was last told of was never stored, and others have its place now: its client comes back.
    const isBehind = from.index !== place.index
    if (isBehind || !this.#reader) {
      if (feed instanceof RelayedFeed) feed.leave()
      this.#reader?.cut()
      return
    }
    this.#next = feed
    this.#activity = activity
    activity.began()
    feed.attach(this)
    if (from.historyGone) this.makeUp()
    this.pump()
  }

  /** Nothing more comes. What the stream still owed is answered with an error; a client that has everything hears nothing. */
  #goneFor(status: number): void {
    if (status === 204 && this.requestIds.length === 0) return this.cut()
    this.ended = true
    this.#reader?.pump()
  }
}
