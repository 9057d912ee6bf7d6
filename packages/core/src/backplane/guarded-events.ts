import { Turns } from '../promises/turns.ts'
import type { Announcer, AnnouncingLog } from './announcer.ts'
import { AppendBatch } from './append-batch.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage, LogPosition } from './backplane.ts'
import { StoreCalls } from './store-calls.ts'
import { readAppendOutcome, readNothing, readOptional, readPage, readStats } from './store-outcomes.ts'

/**
 * An event log that keeps its deadlines, and gives nothing but what the contract says.
 *
 * An append whose reply was lost can be repeated, but only before another: so those of one session are made one after
 * another, and what comes meanwhile goes together with the next. Other sessions do not wait for them.
 */
export class GuardedEvents implements AnnouncingLog {
  readonly #events: EventLog
  readonly #calls: StoreCalls
  readonly #turns = new Turns()
  /** Of each session that has one under way: what goes next. */
  readonly #waiting = new Map<string, AppendBatch>()

  constructor(events: EventLog, timeoutMs: number) {
    this.#events = events
    this.#calls = new StoreCalls('events', timeoutMs)
  }

  /**
   * Its time counts from here, and so includes its turn: behind one that is stuck the others reject with it, and those
   * whose time is over are not made.
   */
  append(sessionKey: string, events: readonly LogEvent[], announcer?: Announcer): Promise<AppendOutcome> {
    const waiting = this.#waiting.get(sessionKey)
    const batch = waiting?.takes(events) ? waiting : new AppendBatch()
    batch.add(events, announcer)
    if (batch === waiting) return batch.outcome
    this.#waiting.set(sessionKey, batch)
    batch.outcome = this.#turns.take(sessionKey, () => this.#appendBatch(sessionKey, batch))
    return batch.outcome
  }

  #appendBatch(sessionKey: string, batch: AppendBatch): Promise<AppendOutcome> {
    const { events, since } = batch
    this.#close(sessionKey, batch)
    const log = this.#events
    const messages = log.appendAndPublish ? batch.toMessages() : []
    const make = (): unknown =>
      messages.length > 0 ? log.appendAndPublish?.(sessionKey, events, messages) : log.append(sessionKey, events)
    return this.#calls.call({ method: 'append', make, read: readAppendOutcome, repeats: true, since })
  }

  /** Nothing is added to the batch any more. */
  #close(sessionKey: string, batch = this.#waiting.get(sessionKey)): void {
    if (this.#waiting.get(sessionKey) === batch) this.#waiting.delete(sessionKey)
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
    this.#close(sessionKey)
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
