import type { JetStreamClient, JetStreamManager, StoredMsg } from '@nats-io/jetstream'
import type { AppendOutcome, EventLog, LogEvent, LogPage, LogPosition, SessionStore } from '@throughline/mcp-http-core'
import { isLate, toToken } from './names.ts'

export interface NatsEventsOptions {
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  /** Whose subjects are `<stream>.<session>`. */
  readonly stream: string
  /** Whether a session is there, and who owns it. */
  readonly sessions: SessionStore
}

/**
 * One subject for each session, one message for each append. Who appends says which message it has seen last: so what
 * another owner has written meanwhile is found out, and that an append was repeated.
 */
export class NatsEvents implements EventLog {
  readonly #options: NatsEventsOptions
  /** Sequence of the last message of a session, as this node has seen it, and where the events in it begin. */
  readonly #last = new Map<string, { readonly seq: number; readonly place: LogPosition | undefined }>()
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: NatsEventsOptions) {
    this.#options = options
  }

  append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    const appending = (this.#turns.get(sessionKey) ?? Promise.resolve()).then(() => this.#append(sessionKey, events))
    const turn = appending
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(sessionKey) === turn) this.#turns.delete(sessionKey)
      })
    this.#turns.set(sessionKey, turn)
    return appending
  }

  async read(sessionKey: string, streamTag: string, after: number, limit: number): Promise<LogPage | undefined> {
    if ((await this.#options.sessions.get(sessionKey)) === undefined) {
      await this.#purge(sessionKey)
      return undefined
    }
    const own = (await this.#readAll(sessionKey)).filter((event) => event.streamTag === streamTag)
    const newest = own.at(-1)
    if (!newest) return undefined
    const events = own.filter(({ index }) => index > after).slice(0, limit)
    const { index: head, position: headPosition, last: ended, requestIds } = newest
    return { events, head, headPosition, ended, requestIds }
  }

  /** Events go with their session, or when the stream is full. */
  release(): void {
    return
  }

  async delete(sessionKey: string, term?: number): Promise<void> {
    const record = await this.#options.sessions.get(sessionKey)
    if (term === undefined || (record?.term ?? 0) <= term) await this.#purge(sessionKey)
  }

  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    return { sessions: 0, streams: 0, events: 0, bytes: 0 }
  }

  async #append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    const subject = this.#toSubject(sessionKey)
    const [{ position }] = events as readonly [LogEvent]
    const { term } = position
    for (;;) {
      const record = await this.#options.sessions.get(sessionKey)
      if (!record) return 'gone'
      if (record.term > term) return 'fenced'
      const last = this.#last.get(sessionKey)
      if (isSame(last?.place, position)) return 'ok'
      const lastSubjectSequence = last?.seq ?? 0
      try {
        const expect = { lastSubjectSequence }
        const { seq } = await this.#options.client.publish(subject, JSON.stringify(events), { expect })
        this.#last.set(sessionKey, { seq, place: position })
        return 'ok'
      } catch (error) {
        if (!isLate(error)) throw error
        const newest = await this.#readLast(subject)
        const place = newest?.json<LogEvent[]>()[0]?.position
        if (place && place.term > term) return 'fenced'
        this.#last.set(sessionKey, { seq: newest?.seq ?? 0, place })
        // Its own, whose reply was lost.
        if (isSame(place, position)) return 'ok'
        // Somebody has deleted what this owner had begun.
        if (!newest && lastSubjectSequence > 0) return 'gone'
      }
    }
  }

  async #readLast(subject: string): Promise<StoredMsg | null> {
    return await this.#options.manager.streams.getMessage(this.#options.stream, { last_by_subj: subject })
  }

  async #readAll(sessionKey: string): Promise<LogEvent[]> {
    const { client, stream } = this.#options
    const subject = this.#toSubject(sessionKey)
    const newest = await this.#readLast(subject)
    if (!newest) return []
    const events: LogEvent[] = []
    const consumer = await client.consumers.get(stream, { filter_subjects: subject })
    const messages = await consumer.consume()
    try {
      for await (const message of messages) {
        events.push(...message.json<LogEvent[]>())
        if (message.seq >= newest.seq) break
      }
    } finally {
      messages.stop()
      await consumer.delete().catch(() => undefined)
    }
    return events
  }

  async #purge(sessionKey: string): Promise<void> {
    await this.#options.manager.streams.purge(this.#options.stream, { filter: this.#toSubject(sessionKey) })
  }

  #toSubject(sessionKey: string): string {
    return `${this.#options.stream}.${toToken(sessionKey)}`
  }
}

function isSame(one: LogPosition | undefined, other: LogPosition): boolean {
  return one?.term === other.term && one.n === other.n
}
