import type { BusMessage, LogEvent } from '../backplane/backplane.ts'
import { afterThisTurn } from '../promises/after-this-turn.ts'
import { now } from '../promises/clock.ts'
import type { HandedOver } from '../stream/connection.ts'
import type { Fate, Follower } from '../stream/feed.ts'
import type { Neighbours } from './neighbours.ts'
import type { Outcome, WireEvent, Word } from './wire.ts'

/** Time, in milliseconds, after which a node that says nothing of a stream reads it no more. It does so each 10 s. */
const silenceMs = 45_000

export interface RemoteFollowersParts {
  readonly say: (node: string, word: Word) => void
  /** The word as it is said by who stores an event. */
  readonly toMessage: (node: string, word: Word) => BusMessage
  readonly neighbours: Neighbours
}

/**
 * Streams of this node that others read from the log for their clients. They hear how far each has come, by the append
 * itself where the log can say it.
 */
export class RemoteFollowers {
  readonly #parts: RemoteFollowersParts
  readonly #followers = new Map<string, RemoteFollower>()

  constructor(parts: RemoteFollowersParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#followers.size
  }

  /** Gives what the other node is told, as it is when it is told. */
  follow(id: string, node: string, stream: HandedOver, headers: Readonly<Record<string, string>>): () => Outcome {
    const { feed, from, isCut, ages, expires } = stream
    const { streamTag, requestIds, isAnnounced } = feed
    if (!feed.ended || from.index < feed.head) {
      const follower = new RemoteFollower(id, node, stream, { ...this.#parts, left: () => this.#followers.delete(id) })
      this.#followers.set(id, follower)
      feed.attach(follower)
    }
    return () => {
      const { head, headAt, ended } = feed
      const known = { headers, streamTag, requestIds, from, isAnnounced, isCut, ages, expires }
      return { stream: { ...known, head, headAt, ended } }
    }
  }

  hear(word: Extract<Word, { type: 'read' }>): void {
    const follower = this.#followers.get(word.id)
    if (follower) follower.read(word)
    else if (!word.closed) this.#parts.say(word.from, { type: 'unknown', id: word.id })
  }

  /** Messages may have been lost. */
  lookAfter(): void {
    for (const follower of this.#followers.values()) follower.pump()
  }

  forget(): void {
    const since = now() - silenceMs
    for (const follower of [...this.#followers.values()]) if (follower.heardAt < since) follower.leave()
  }
}

/** Characters of the events that are told with the word of them. */
const maxTold = 65_536

interface FollowerParts extends RemoteFollowersParts {
  readonly left: () => void
}

class RemoteFollower implements Follower {
  heardAt = now()
  readonly #id: string
  readonly #node: string
  readonly #stream: HandedOver
  readonly #parts: FollowerParts
  readonly #stopWatching: () => void
  /** What is stored of this turn. */
  readonly #events: LogEvent[] = []
  /** Index of the newest event that its append tells of. */
  #announced = 0
  #willSay = false
  #hasLeft = false

  constructor(id: string, node: string, stream: HandedOver, parts: FollowerParts) {
    this.#id = id
    this.#node = node
    this.#stream = stream
    this.#parts = parts
    stream.activity.began()
    this.#stopWatching = parts.neighbours.watch(node, () => this.leave())
  }

  // ---- Follower ----

  announce(events: readonly LogEvent[]): BusMessage {
    const { index, position, last: ended } = events.at(-1) as LogEvent
    this.#announced = index
    const word: Word = { type: 'came', id: this.#id, index, position, ended, ...toTold(events) }
    return this.#parts.toMessage(this.#node, word)
  }

  deliver(event: LogEvent, fate: Fate): void {
    if (fate === 'fenced') return this.#sendOn()
    if (fate !== 'stored') this.#events.length = 0
    else if (event.index <= this.#announced) return
    else this.#events.push(event)
    if (this.#willSay) return
    this.#willSay = true
    afterThisTurn(() => {
      this.#willSay = false
      this.pump()
    })
  }

  /** Another node has the session: the reader finds that one. */
  #sendOn(): void {
    this.#say({ type: 'unknown', id: this.#id })
    this.leave()
  }

  pump(): void {
    const { head, headAt, ended } = this.#stream.feed
    const told = toTold(this.#events.splice(0))
    if (!this.#hasLeft) this.#say({ type: 'came', id: this.#id, index: head, position: headAt, ended, ...told })
  }

  makeUp(): void {
    this.#say({ type: 'makeUp', id: this.#id })
  }

  cut(): void {
    // The word that it has come so far may be lost.
    this.#say({ type: 'cut', id: this.#id, isKnown: this.#stream.feed.isKnown })
    this.leave()
  }

  sayFarewell(retryMs: number): void {
    this.#say({ type: 'cut', id: this.#id, retryMs })
    this.leave()
  }

  // ---- From the other node ----

  read({ index, position, closed }: Extract<Word, { type: 'read' }>): void {
    const { feed } = this.#stream
    this.heardAt = now()
    feed.advanced({ index, position })
    if (closed) this.leave()
    else if (feed.head > index || feed.ended) this.pump()
  }

  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#stopWatching()
    this.#parts.left()
    this.#stream.activity.finished()
    this.#stream.feed.detach(this)
  }

  #say(word: Word): void {
    this.#parts.say(this.#node, word)
  }
}

/** What is short enough is told with the word of it. The rest is read from the log. */
function toTold(events: readonly LogEvent[]): { readonly events?: readonly WireEvent[] } {
  const size = events.reduce((sum, { data }) => sum + data.length, 0)
  if (events.length === 0 || size > maxTold || events.some(({ data }) => data === '')) return {}
  return { events: events.map(({ index, position, data, last }) => ({ index, position, data, last })) }
}
