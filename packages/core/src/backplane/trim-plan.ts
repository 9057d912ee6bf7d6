/** What one session may hold in the log of a store. */
export interface LogBounds {
  readonly maxEventsPerSession: number
  readonly maxBytesPerSession: number
}

/** An event without its text, or a stream that has none. */
export interface StoredEvent {
  readonly stream: number
  /** `undefined`: the stream has no event. */
  readonly index: number | undefined
  readonly term: number
  readonly n: number
  /** 0 progress, 1 notification, 2 message. */
  readonly kind: number
  readonly isLast: boolean
  readonly isSettled: boolean
  readonly size: number
  /** Of its stream: 0 kept, 1 delivered, 2 dropped; and bytes that are kept of the stream itself. */
  readonly state: number
  readonly own: number
}

/** What goes, and what is left then. */
export interface TrimPlan {
  readonly streams: number[]
  /** Of the event in each of `streams`. */
  readonly indexes: number[]
  /** Streams that go with all their events. */
  readonly ended: number[]
  /** Streams that were dropped before, of which nothing is to be known any more. */
  readonly forgotten: number[]
  readonly events: number
  readonly bytes: number
}

/** Bytes that an event and a stream count beside their texts. */
export const eventBytes = 64
const streamBytes = 100

/** How full a log is left, so that it is not trimmed with each event. */
const fill = 0.9

/**
 * What of a session's log goes, in the order that the contract of {@link EventLog} says. Nothing while it is within its
 * bounds.
 */
export function planTrim(entries: readonly StoredEvent[], bounds: LogBounds): TrimPlan {
  return new Trimming(entries, bounds).run()
}

class Trimming {
  readonly #bounds: LogBounds
  readonly #streams: ReadonlyMap<number, StoredEvent>
  /** Those that are kept, oldest first. */
  #entries: readonly StoredEvent[]
  readonly #newest: StoredEvent | undefined
  readonly #plan = {
    streams: [] as number[],
    indexes: [] as number[],
    ended: [] as number[],
    forgotten: [] as number[],
  }
  #events: number
  #bytes: number

  constructor(entries: readonly StoredEvent[], bounds: LogBounds) {
    this.#bounds = bounds
    this.#streams = new Map(entries.map((entry) => [entry.stream, entry]))
    this.#entries = entries.filter(({ index }) => index !== undefined).sort((a, b) => a.term - b.term || a.n - b.n)
    this.#newest = this.#entries.at(-1)
    this.#events = this.#entries.length
    this.#bytes = this.#entries.reduce((sum, { size }) => sum + size + eventBytes, 0)
    for (const { own } of this.#streams.values()) this.#bytes += own + streamBytes
  }

  run(): TrimPlan {
    if (this.#isOver(1)) {
      this.#dropEach(fill, ({ isSettled }) => isSettled)
      for (const kind of [0, 1]) this.#dropEach(fill, (entry) => entry.kind === kind)
      for (const state of [1, 0]) this.#dropEnded(state)
      this.#forget()
      if (this.#isOver(2)) this.#dropEach(2 * fill, () => true)
    }
    return { ...this.#plan, events: this.#events, bytes: this.#bytes }
  }

  #isOver(factor: number): boolean {
    const { maxEventsPerSession, maxBytesPerSession } = this.#bounds
    return this.#events > factor * maxEventsPerSession || this.#bytes > factor * maxBytesPerSession
  }

  #dropEach(factor: number, isMeant: (entry: StoredEvent) => boolean): void {
    if (!this.#isOver(factor)) return
    this.#entries = this.#entries.filter((entry) => {
      if (!this.#isOver(factor) || entry === this.#newest || !isMeant(entry)) return true
      this.#plan.streams.push(entry.stream)
      this.#plan.indexes.push(entry.index as number)
      this.#count(entry)
      return false
    })
  }

  /** Whole streams that ended, in the order in which they did. */
  #dropEnded(state: number): void {
    const lasts = this.#entries.filter((entry) => entry.isLast && entry.state === state)
    const ended = new Set<number>()
    for (const { stream } of lasts) {
      if (!this.#isOver(fill)) break
      if (stream === this.#newest?.stream) continue
      ended.add(stream)
      for (const entry of this.#entries) if (entry.stream === stream) this.#count(entry)
    }
    this.#plan.ended.push(...ended)
    this.#entries = this.#entries.filter(({ stream }) => !ended.has(stream))
  }

  #forget(): void {
    for (const { stream, state, own } of this.#streams.values()) {
      if (!this.#isOver(fill)) return
      if (state !== 2) continue
      this.#plan.forgotten.push(stream)
      this.#bytes -= own + streamBytes
    }
  }

  #count({ size }: StoredEvent): void {
    this.#events--
    this.#bytes -= size + eventBytes
  }
}

/** From which size on a log is trimmed that was left with so much: where nothing may be dropped that is not each time. */
export function dueAt(kept: number, max: number): number {
  return Math.max(max, Math.min(2 * max, Math.floor(kept * 1.05)))
}
