import type { LogEvent, SessionRecord } from '../../src/index.ts'
import { Histories } from './histories.ts'

/** What must never happen, whatever fails: the rules by which a run is judged. */
export type Rule =
  /** Delivered, and sent by nobody, or not what is stored at that place. */
  | 'phantom'
  /** Of a call, and there long after it was sent, where nothing was wrong. */
  | 'delay'
  /** Delivered twice to a client that comes back with its last event id. */
  | 'duplicate'
  /** Ids do not rise. */
  | 'order'
  /** Stored, not delivered to a client that keeps coming back, and no gap was told. */
  | 'loss'
  /** Of another session or stream. */
  | 'isolation'
  /** Written with a term after the next owner had taken over. */
  | 'fencing'
  /** Two owners of one term, or an owner that was replaced while its lease ran. */
  | 'owner'
  /** A call that ends never, twice, or without a reason. */
  | 'termination'
  /** A client is turned away with what it was given. */
  | 'refused'
  /** An error of ours. */
  | 'fault'

export interface Violation {
  readonly rule: Rule
  readonly what: string
  /** Seen in the store itself; otherwise seen by a client. */
  readonly inStore: boolean
}

export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly p?: string }
  readonly result?: { readonly p?: string }
  readonly error?: { readonly message: string }
}

/** What the text of an answer says that is not kept any more. */
const goneAnswer = 'no longer kept'

/** What was ever stored of one session, whatever was dropped since. */
interface Stored {
  readonly streams: Map<string, Map<number, LogEvent>>
  newest: { term: number; n: number }
  /** Events that the store dropped to stay within its budget. */
  readonly dropped: Set<LogEvent>
}

/** Judges a run while it goes on: by what the store applied, what tools sent, and what clients got. */
export class Checker {
  readonly violations: Violation[] = []
  readonly histories = new Histories()
  /** Payloads that a tool tried to send, with the stream that they are for (`g`, or the call), and when. */
  readonly #sent = new Map<string, { stream: string; at: number }>()
  readonly #stored = new Map<string, Stored>()
  readonly #owners = new Map<string, string>()
  /** Who owns a session, and since when. */
  readonly #ownedSince = new Map<string, { owner: string; at: number }>()
  readonly #ended = new Set<string>()
  readonly #runs = new Map<string, number>()
  readonly #now: () => number
  /** Appends may take effect when their owner has given up waiting for them. */
  mayBeLate = false
  /** Nothing is wrong, so that what a call sends is with its client soon. */
  isPrompt = false
  delivered = 0
  gaps = 0
  takeovers = 0
  appends = 0

  constructor(now: () => number) {
    this.#now = now
  }

  violated(rule: Rule, what: string, inStore = false): void {
    this.violations.push({ rule, what, inStore })
  }

  // ---- What the store applied ----

  owned(
    { key, term, owner }: SessionRecord,
    previous: { record: SessionRecord; leaseRuns: boolean } | undefined,
  ): void {
    const place = `${key} ${term}`
    const before = this.#owners.get(place)
    if (before !== undefined && before !== owner) {
      this.violated('owner', `term ${term} has two owners: ${before} and ${owner}`, true)
    }
    this.#owners.set(place, owner)
    this.#ownedSince.set(key, { owner, at: this.#now() })
    this.histories.owned(key, owner, previous !== undefined)
    if (!previous) return
    this.takeovers++
    if (term <= previous.record.term) this.violated('owner', `term ${term} after ${previous.record.term}`, true)
    if (previous.leaseRuns) {
      this.violated('owner', `${owner} took over from ${previous.record.owner}, whose lease runs`, true)
    }
  }

  /** An event was stored that was not before. `term` is that of the session's record. */
  appended(key: string, event: LogEvent, term: number | undefined): void {
    const stored = this.storedOf(key)
    const { streamTag, index, position } = event
    this.appends++
    this.histories.appended(key, event)
    if (term === undefined) this.violated('fencing', `an event was stored of a session that had ended`, true)
    else if (position.term < term) {
      this.violated('fencing', `term ${position.term} wrote ${streamTag}.${index} after term ${term} had begun`, true)
    }
    if (!isAfter(position, stored.newest)) {
      this.violated('order', `position ${show(position)} was stored after ${show(stored.newest)}`, true)
    } else stored.newest = position
    const stream = stored.streams.get(streamTag) ?? new Map<number, LogEvent>()
    stored.streams.set(streamTag, stream)
    if (stream.has(index)) this.violated('duplicate', `${streamTag}.${index} was stored twice`, true)
    stream.set(index, event)
  }

  ended(key: string): void {
    this.#ended.add(key)
  }

  hasEnded(key: string): boolean {
    return this.#ended.has(key)
  }

  dropped(key: string, event: LogEvent): void {
    this.storedOf(key).dropped.add(event)
  }

  storedOf(key: string): Stored {
    let stored = this.#stored.get(key)
    if (!stored) {
      stored = { streams: new Map(), newest: { term: 0, n: 0 }, dropped: new Set() }
      this.#stored.set(key, stored)
    }
    return stored
  }

  /** Index of the newest event of a stream that was ever stored and says something. */
  headOf(key: string, streamTag: string): number {
    let head = 0
    for (const { index, data } of this.#stored.get(key)?.streams.get(streamTag)?.values() ?? []) {
      if (data !== '' && index > head) head = index
    }
    return head
  }

  // ---- What tools sent ----

  sent(payload: string, stream: string): void {
    this.#sent.set(payload, { stream, at: this.#now() })
  }

  /** A tool begins to run. */
  ran({ key, call, owner, process, cameAt, mayRepeat }: Run): void {
    const name = `call ${call}`
    const runs = (this.#runs.get(call) ?? 0) + 1
    this.#runs.set(call, runs)
    // docs/scaling.md: one that its owner had not confirmed before it was gone, or stood still, is repeated.
    if (runs > 1 && !mayRepeat) this.violated('duplicate', `${name} ran ${runs} times`)
    const owned = this.#ownedSince.get(key)
    if (cameAt !== undefined && owned && owned.owner !== owner && owned.at < cameAt) {
      this.violated('owner', `${name} came to ${process} and ran there, after another had the session`)
    }
  }

  streamOf(payload: string): string | undefined {
    return this.#sent.get(payload)?.stream
  }

  came(payload: string): void {
    const { stream = 'g', at = Infinity } = this.#sent.get(payload) ?? {}
    const ms = this.#now() - at
    // The standalone stream may not have been asked for until then.
    if (this.isPrompt && stream !== 'g' && ms > soonMs)
      this.violated('delay', `${payload} was there ${Math.round(ms)} ms after it was sent`)
  }
}

/** Some hops, each as slow as they come, and a client that waits before it comes back. */
const soonMs = 3_000

interface Run {
  readonly key: string
  /** The call, with its session. */
  readonly call: string
  /** The node among others, and its process. */
  readonly owner: string
  readonly process: string
  /** When the client's request came to this process; `undefined` when another has sent it. */
  readonly cameAt: number | undefined
  readonly mayRepeat: boolean
}

export function isAfter(a: LogEvent['position'], b: LogEvent['position']): boolean {
  return a.term > b.term || (a.term === b.term && a.n > b.n)
}

function show({ term, n }: LogEvent['position']): string {
  return `${term}-${n}`
}

/** What one client knows of one stream, however often it came back: the chain of its cursors. */
export class Chain {
  /** The last event id, to come back with. */
  lastEventId: string | undefined
  readonly #checker: Checker
  readonly #key: () => string
  readonly #session: string
  /** `g`, or the call whose stream it is. */
  readonly #stream: string
  #tag: string | undefined
  #index = 0
  #position = { term: 0, n: 0 }
  #isGapTold = false
  /** Payloads, and whether the event had an id: one without is of an event whose outcome the owner did not know. */
  readonly #got = new Map<string, boolean>()
  /** Texts of messages without an id since the last event with one. */
  #loose: string[] = []

  constructor(checker: Checker, session: string, stream: string, key: () => string) {
    this.#checker = checker
    this.#session = session
    this.#stream = stream
    this.#key = key
  }

  /** Whether it has everything that was ever stored of the stream, or was told what it misses. */
  get isComplete(): boolean {
    return this.#tag === undefined || this.#index >= this.#checker.headOf(this.#key(), this.#tag) || this.#hasLoose()
  }

  get place(): string {
    return `${this.#tag ?? '?'}.${this.#index}`
  }

  connected(isGapTold: boolean): void {
    this.#isGapTold = isGapTold
    if (isGapTold) this.#checker.gaps++
  }

  gap(): void {
    this.#isGapTold = true
    this.#checker.gaps++
  }

  /** An event as it came; `message` is `undefined` for one that only has an id. */
  event(id: string | undefined, data: string): Message | undefined {
    const message = data === '' ? undefined : (JSON.parse(data) as Message)
    if (message) this.#check(message, id, data)
    if (id !== undefined) this.#moveTo(id, data, message)
    else if (message) this.#loose.push(data)
    return message
  }

  #check(message: Message, id: string | undefined, data: string): void {
    const payload = message.params?.p ?? message.result?.p
    if (payload === undefined) return
    this.#checker.delivered++
    const stream = this.#checker.streamOf(payload)
    if (stream === undefined) this.#violated('phantom', `${data} was sent by no tool`)
    else if (!payload.startsWith(`${this.#session}:`) || stream !== this.#stream) {
      this.#violated('isolation', `${data} is of ${stream}`)
    }
    this.#checker.came(payload)
    const hadId = this.#got.get(payload)
    if (hadId === true || (hadId === false && id === undefined)) this.#violated('duplicate', `${data} came twice`)
    this.#got.set(payload, id !== undefined)
  }

  #moveTo(id: string, data: string, message: Message | undefined): void {
    const { tag, index, position } = readId(id)
    const stored = this.#checker.storedOf(this.#key()).streams.get(tag)
    if (this.#tag !== undefined && tag !== this.#tag) this.#violated('isolation', `got ${id}`)
    const isFirst = this.#tag === undefined
    this.#tag = tag
    this.lastEventId = id
    if (!isFirst && index === this.#index && data === '') return
    // Of a session that has ended nothing is promised any more.
    if (!isFirst && !this.#checker.hasEnded(this.#key())) {
      if (index <= this.#index) this.#violated(index === this.#index ? 'duplicate' : 'order', `got ${id}`)
      // At its beginning a stream has a position of its own in each term.
      if (this.#index > 0 && !isAfter(position, this.#position))
        this.#violated('order', `got ${id} after ${show(this.#position)}`)
      this.#checkSkipped(index, stored)
    }
    this.#index = index
    this.#position = position
    this.#isGapTold = false
    this.#loose = []
    if (message) this.#checkStored(id, data, message, stored?.get(index))
  }

  #checkSkipped(index: number, stored: ReadonlyMap<number, LogEvent> | undefined): void {
    if (this.#isGapTold) return
    for (let skipped = this.#index + 1; skipped < index; skipped++) {
      const event = stored?.get(skipped)
      if (event && event.data !== '' && !this.#loose.includes(event.data)) {
        this.#violated('loss', `event ${skipped} is stored, and was skipped by ${index}: ${event.data}`)
      }
    }
  }

  #checkStored(id: string, data: string, message: Message, event: LogEvent | undefined): void {
    const { position } = readId(id)
    if (message.error?.message.includes(goneAnswer)) {
      const isKept =
        !this.#checker.hasEnded(this.#key()) &&
        event?.data.includes('"result"') &&
        !this.#checker.storedOf(this.#key()).dropped.has(event)
      if (isKept) this.#violated('loss', `its answer is stored, and was said to be gone`)
    } else if (
      !event ||
      event.data !== data ||
      isAfter(event.position, position) ||
      isAfter(position, event.position)
    ) {
      this.#violated('phantom', `${id} says ${data}, and stored is ${event ? event.data : 'nothing'}`)
    }
  }

  /** What is stored after the cursor came without ids, or was dropped, and that was told. */
  #hasLoose(): boolean {
    const { streams, dropped } = this.#checker.storedOf(this.#key())
    for (const [index, event] of streams.get(this.#tag as string) ?? []) {
      const isExcused =
        this.#loose.includes(event.data) || (this.#isGapTold && (dropped.has(event) || this.#checker.mayBeLate))
      if (index > this.#index && event.data !== '' && !isExcused) return false
    }
    return true
  }

  #violated(rule: Rule, what: string): void {
    this.#checker.violated(rule, `session ${this.#session}, stream ${this.#stream} at ${this.place}: ${what}`)
  }
}

function readId(id: string): { tag: string; index: number; position: LogEvent['position'] } {
  const [tag = '', index = '', position = ''] = id.split('.')
  const [term = '', n = ''] = position.split('-')
  return { tag, index: parseInt(index, 36), position: { term: parseInt(term, 36), n: parseInt(n, 36) } }
}
