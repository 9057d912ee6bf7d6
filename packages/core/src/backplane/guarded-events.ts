import { now } from '../promises/clock.ts'
import { Turns } from '../promises/turns.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage, LogPosition } from './backplane.ts'
import { StoreCalls } from './store-calls.ts'
import { readAppendOutcome, readNothing, readOptional, readPage, readStats } from './store-outcomes.ts'

/**
 * An event log that keeps its deadlines, and gives nothing but what the contract says.
 *
 * An append whose reply was lost can be repeated, but only before another: so those of one session are made one after
 * another. Other sessions do not wait for them.
 */
export class GuardedEvents implements EventLog {
  readonly #events: EventLog
  readonly #calls: StoreCalls
  readonly #turns = new Turns()

  constructor(events: EventLog, timeoutMs: number) {
    this.#events = events
    this.#calls = new StoreCalls('events', timeoutMs)
  }

  /**
   * Its time counts from here, and so includes its turn: behind one that is stuck the others reject with it, and those
   * whose time is over are not made.
   */
  append(sessionKey: string, event: LogEvent): Promise<AppendOutcome> {
    const since = now()
    const make = (): unknown => this.#events.append(sessionKey, event)
    return this.#turns.take(sessionKey, () =>
      this.#calls.call({ method: 'append', make, read: readAppendOutcome, repeats: true, since }),
    )
  }

  read(
    sessionKey: string,
    streamTag: string,
    after: number,
    limit: number,
    from?: LogPosition,
  ): Promise<LogPage | undefined> {
    const make = (): unknown => this.#events.read(sessionKey, streamTag, after, limit, from)
    return this.#calls.call({ method: 'read', make, read: readOptional(readPage(streamTag, after)), repeats: true })
  }

  release(sessionKey: string, streamTag: string): void {
    this.#hint(() => this.#events.release(sessionKey, streamTag))
  }

  /** In its turn: the event may not have been appended yet. */
  settle(sessionKey: string, streamTag: string, index: number): void {
    if (!this.#events.settle) return
    const settle = async (): Promise<void> => this.#hint(() => this.#events.settle?.(sessionKey, streamTag, index))
    this.#turns.take(sessionKey, settle).catch(() => undefined)
  }

  /** After the appends that were made before it, or they would begin the log anew. Its time begins with its turn. */
  delete(sessionKey: string, term?: number): Promise<void> {
    const make = (): unknown => this.#events.delete(sessionKey, term)
    return this.#turns.take(sessionKey, () =>
      this.#calls.call({ method: 'delete', make, read: readNothing, repeats: true }),
    )
  }

  stats(): ReturnType<EventLog['stats']> {
    return this.#calls.callNow({ method: 'stats', make: () => this.#events.stats(), read: readStats })
  }

  /** What may be dropped earlier is no loss if it is not: nobody waits to hear that it failed. */
  #hint(make: () => unknown): void {
    const hinting = async (): Promise<unknown> => make()
    hinting().catch(() => undefined)
  }
}
