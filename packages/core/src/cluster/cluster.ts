import type { Backplane, BusMessage } from '../backplane/backplane.ts'
import { isEmbedded } from '../backplane/memory/memory-backplane.ts'
import type { ErrorSource } from '../http/error-source.ts'
import { unref } from '../promises/unref.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { StreamInfo } from '../stream/stream-info.ts'
import { Answers, type AnswersParts } from './answers.ts'
import { Asks } from './asks.ts'
import { Lease } from './lease.ts'
import { Looks, type LooksParts } from './looks.ts'
import { Neighbours } from './neighbours.ts'
import { Outbox } from './outbox.ts'
import { RelayedFeeds } from './relayed-feeds.ts'
import { RemoteFollowers } from './remote-followers.ts'
import { readWord, toText, type Word } from './wire.ts'

export interface ClusterOptions {
  readonly backplane: Backplane
  readonly leaseMs: number
  readonly onError: (error: unknown, where: ErrorSource) => void
}

export interface ClusterParts {
  readonly options: ClusterOptions
  readonly answer: AnswersParts['answer']
  readonly activities: LooksParts['activities']
  readonly streams: LooksParts['streams']
  /** This node's lease was over for a time: looks which sessions are still its own. */
  readonly lapsed: () => Promise<void>
}

/** Time, in milliseconds, between two looks at what other nodes and this one read of each other. */
const lookMs = 10_000

/** Whether several nodes share all three parts of a backplane: each may be asked for any session then. */
export function isShared({ sessions, events, bus }: Backplane): boolean {
  return ![sessions, events, bus].some(isEmbedded)
}

/** This node among others: its lease, and what it says and hears on the bus. */
export class Cluster {
  readonly asks: Asks
  readonly relayed: RelayedFeeds
  readonly #options: ClusterOptions
  readonly #lease: Lease
  readonly #neighbours: Neighbours
  readonly #answers: Answers
  readonly #followers: RemoteFollowers
  readonly #looks: Looks
  readonly #outbox = new Outbox((to, text) => this.#send(to, text))
  #listening: Promise<() => unknown> | undefined
  readonly #saying = new Set<Promise<void>>()
  #isListening = false
  #isClosed = false
  #timer: ReturnType<typeof setInterval> | undefined
  #name: string | undefined

  constructor({ options, answer, activities, streams, lapsed }: ClusterParts) {
    const { sessions: store } = options.backplane
    const { leaseMs } = options
    const say = (to: string, word: Word): void => this.#outbox.say(to, word)
    const neighbours = new Neighbours({ store, leaseMs })
    const node = (): string => this.name
    this.#options = options
    this.#neighbours = neighbours
    this.#lease = new Lease({
      node,
      leaseMs,
      store,
      lapsed,
      onError: (error) => options.onError(error, 'session-store'),
    })
    const toMessage = (to: string, word: Word): BusMessage => this.#toMessage(to, word)
    this.#followers = new RemoteFollowers({ say, toMessage, neighbours })
    this.#answers = new Answers({ say, answer, followers: this.#followers })
    this.#looks = new Looks({ node, say, activities, streams })
    const relayed = new RelayedFeeds({ node, say, neighbours, onError: (error) => this.#report(error) })
    this.relayed = relayed
    this.asks = new Asks({ node, say, neighbours, follow: (word) => relayed.hear(word) })
  }

  /** Made when it is needed: some runtimes have no random values while modules load. */
  get name(): string {
    this.#name ??= crypto.randomUUID()
    return this.#name
  }

  /** This node hears others, and its lease runs: nothing needs to be waited for. */
  get isReady(): boolean {
    return this.#isListening && this.#lease.runs
  }

  /** How often its lease was over for a time. */
  get lapses(): number {
    return this.#lease.lapses
  }

  /** Resolves when that is so. Rejects when the store or the bus does. */
  async join(): Promise<void> {
    this.#listening ??= this.#listen()
    await this.#listening
    await this.#lease.hold()
  }

  /** No client of this node waits for another: neither for a reply, nor for the end of a call's stream. */
  get isIdle(): boolean {
    return this.asks.size === 0 && !this.relayed.hasCalls
  }

  /** Whether another node lives, so that it and no other answers for its sessions. */
  async lives(node: string): Promise<boolean> {
    return await this.#options.backplane.sessions.hasLease(node)
  }

  /** What another node's sessions do now, by key; none of a node that is gone. */
  async activitiesOf(node: string): Promise<ReadonlyMap<string, SessionActivity>> {
    await this.join()
    return (await this.lives(node)) ? this.#looks.at(node) : new Map()
  }

  /** The streams of a session of another node; `undefined` where that is gone, or does not say. */
  async streamsOf(node: string, key: string): Promise<readonly StreamInfo[] | undefined> {
    await this.join()
    return (await this.lives(node)) ? this.#looks.streamsAt(node, key) : undefined
  }

  /** Other nodes may take over what this one has. It hears them no more, and has said all that it had to say. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#neighbours.close()
    this.asks.close()
    this.relayed.close()
    await this.#lease.end()
    const stop = await this.#listening?.catch(() => undefined)
    await stop?.()
    this.#outbox.flush()
    this.#isClosed = true
    await Promise.all(this.#saying)
  }

  async #listen(): Promise<() => unknown> {
    const hear = (text: string): void => this.#hear(text)
    try {
      const stop = await this.#options.backplane.bus.subscribe(channelOf(this.name), hear, () => this.#lookAfter())
      this.#isListening = true
      this.#timer = setInterval(() => this.#look(), lookMs)
      unref(this.#timer)
      return stop
    } catch (error) {
      this.#listening = undefined
      throw error
    }
  }

  #hear(text: string): void {
    try {
      for (const value of readList(text)) this.#hearValue(value)
    } catch (error) {
      this.#report(error)
    }
  }

  /** One that is malformed says nothing of the others. */
  #hearValue(value: unknown): void {
    try {
      const word = readWord(value)
      if (word) this.#hearWord(word)
    } catch (error) {
      this.#report(error)
    }
  }

  #hearWord(word: Word): void {
    if (word.type === 'ask' || word.type === 'poke' || word.type === 'left') this.#answers.hear(word)
    else if (word.type === 'read') this.#followers.hear(word)
    else if (word.type === 'look' || word.type === 'seen') this.#looks.hear(word)
    else {
      this.asks.hear(word)
      this.relayed.hear(word)
    }
  }

  /** A word that the append of an event says for us. */
  #toMessage(to: string, word: Word): BusMessage {
    this.#outbox.flushTo(to)
    return { channel: channelOf(to), message: `[${toText(word)}]` }
  }

  /** Of a node that is closed others know by its lease, and the client of its bus may be closed as well. */
  #send(to: string, text: string): void {
    if (this.#isClosed) return
    const saying = this.#publish(to, text).finally(() => this.#saying.delete(saying))
    this.#saying.add(saying)
  }

  async #publish(to: string, text: string): Promise<void> {
    try {
      await this.#options.backplane.bus.publish(channelOf(to), text)
    } catch (error) {
      this.#report(error)
    }
  }

  #report(error: unknown): void {
    this.#options.onError(error, 'message-bus')
  }

  #look(): void {
    this.#answers.lookAfter()
    this.#answers.forget()
    this.#followers.forget()
    this.relayed.lookAfter()
  }

  /** The bus was away: what was said meanwhile is lost. */
  #lookAfter(): void {
    this.asks.lookAfter()
    this.#followers.lookAfter()
    this.relayed.lookAfter()
  }
}

function channelOf(node: string): string {
  return `mcp-http/${node}`
}

/** A message is a list of words. */
function readList(text: string): readonly unknown[] {
  const words: unknown = JSON.parse(text)
  if (Array.isArray(words)) return words
  throw new TypeError(`Expected a list of words between nodes, got ${text.slice(0, 100)}`)
}
