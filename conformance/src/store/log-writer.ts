import { expectEqual, notTestable } from '../client/expect.ts'
import type { AppendOutcome, BusMessage, EventLog, LogEvent } from './contract-types.ts'

type EventParts = Partial<Pick<LogEvent, 'kind' | 'data' | 'last' | 'requestIds'>>

/** Writes a session's log as its owner does: gives every event its place, in order. */
export class LogWriter {
  readonly sessionKey: string
  readonly term: number
  readonly #log: EventLog
  readonly #indexes: Map<string, number>
  #n = 0

  constructor(options: { log: EventLog; sessionKey: string; term: number; indexes?: ReadonlyMap<string, number> }) {
    this.sessionKey = options.sessionKey
    this.term = options.term
    this.#log = options.log
    this.#indexes = new Map(options.indexes)
  }

  /** The next event of a stream, given its place. */
  next(streamTag: string, parts: EventParts = {}): LogEvent {
    const index = (this.#indexes.get(streamTag) ?? 0) + 1
    this.#indexes.set(streamTag, index)
    const position = { term: this.term, n: ++this.#n }
    const data = `{"jsonrpc":"2.0","method":"${streamTag}/${index}"}`
    return { streamTag, index, position, kind: 'message', data, last: false, requestIds: [1], ...parts }
  }

  /** The call is made before this returns, so that calls take effect in the order in which they are written down. */
  async append(...events: readonly LogEvent[]): Promise<AppendOutcome> {
    return await this.#log.append(this.sessionKey, events)
  }

  /** The same with messages. */
  async appendAndPublish(messages: readonly BusMessage[], ...events: readonly LogEvent[]): Promise<AppendOutcome> {
    if (!this.#log.appendAndPublish) return notTestable('the log has no `appendAndPublish`')
    return await this.#log.appendAndPublish(this.sessionKey, events, messages)
  }

  /** Appends events of one stream, each before the one before has settled. */
  async appendAll(streamTag: string, count: number, parts: EventParts = {}): Promise<LogEvent[]> {
    const events = Array.from({ length: count }, () => this.next(streamTag, parts))
    const outcomes = await Promise.all(events.map((event) => this.append(event)))
    for (const [i, outcome] of outcomes.entries()) {
      expectEqual(outcome, 'ok', `the outcome of append number ${i + 1} of ${count} to stream ${streamTag}`)
    }
    return events
  }

  /** As a later owner has it, who knows how far the streams have come. */
  succeededBy(log: EventLog, term: number): LogWriter {
    return new LogWriter({ log, sessionKey: this.sessionKey, term, indexes: this.#indexes })
  }
}
