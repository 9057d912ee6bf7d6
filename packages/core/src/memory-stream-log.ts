import type { LogEvent, LogPosition } from './backplane.ts'

/** Counted for what an event costs beside its text. */
const eventOverhead = 100

/** The events of one stream in memory. */
export class StreamLog {
  readonly requestIds: LogEvent['requestIds']
  head = 0
  headPosition: LogPosition = { term: 0, n: 0 }
  ended = false
  released = false
  dropped = false
  /** In order of index, from `#start`; dropped ones are taken out. */
  #events: LogEvent[] = []
  #start = 0

  constructor(requestIds: LogEvent['requestIds']) {
    this.requestIds = requestIds
  }

  get size(): number {
    return this.#events.length - this.#start
  }

  push(event: LogEvent): void {
    this.#events.push(event)
    this.head = event.index
    this.headPosition = event.position
    this.ended = event.last
  }

  slice(after: number, limit: number): LogEvent[] {
    const from = this.#seek(after)
    return this.#events.slice(from, from + limit)
  }

  remove(event: LogEvent): boolean {
    const at = this.#seek(event.index - 1)
    if (this.#events[at] !== event) return false
    if (at > this.#start) this.#events.splice(at, 1)
    else if (++this.#start > 64 && this.#start * 2 > this.#events.length) this.#forget()
    return true
  }

  /** Empties the stream; what remains says that it was there. Returns the bytes it held. */
  drop(): number {
    this.#forget()
    const bytes = this.#events.reduce((sum, event) => sum + sizeOf(event), 0)
    this.#events = []
    this.dropped = true
    return bytes
  }

  #forget(): void {
    this.#events = this.#events.slice(this.#start)
    this.#start = 0
  }

  /** Place of the first event with an index above `after`. */
  #seek(after: number): number {
    let low = this.#start
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle] as LogEvent).index <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A queue whose front is taken off in constant time. */
export class Fifo<T> {
  #items: T[] = []
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#start]
  }

  shift(): T | undefined {
    const item = this.#items[this.#start]
    this.#start++
    if (this.#start > 64 && this.#start * 2 > this.#items.length) this.keep(() => true)
    return item
  }

  /** Forgets what need not be kept. */
  keep(predicate: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#start).filter(predicate)
    this.#start = 0
  }
}

/** What an event counts against a budget, in bytes. */
export function sizeOf(event: LogEvent): number {
  return event.data.length + eventOverhead
}
