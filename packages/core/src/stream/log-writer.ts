import type {
  AppendOutcome,
  EventKind,
  EventLog,
  LogEvent,
  LogPage,
  LogPosition,
  MaybePromise,
} from '../backplane/backplane.ts'
import { toCallTag } from './event-id.ts'
import type { Stream } from './stream.ts'

/** What to append. */
export interface Entry {
  readonly kind: EventKind
  /** One message as JSON text; empty to only end the stream. */
  readonly data: string
  readonly last: boolean
}

/**
 * One session's part of the event log, as its owner writes it. Gives every event its place, and lets events become
 * visible in that order only, so that the order on the wire is the order of ids.
 */
export class SessionLog {
  readonly sessionKey: string
  readonly #term: number
  readonly #log: EventLog
  readonly #failed: (failure: unknown) => void
  #n = 0
  #streams = 0
  #queue: Promise<void> | undefined

  /** `failed` is told the error of an append that failed, or its outcome when another node has taken over. */
  constructor(options: { sessionKey: string; term: number; log: EventLog; failed: (failure: unknown) => void }) {
    this.sessionKey = options.sessionKey
    this.#term = options.term
    this.#log = options.log
    this.#failed = options.failed
  }

  /** Place of the newest event. */
  get position(): LogPosition {
    return { term: this.#term, n: this.#n }
  }

  /** Whether an event with this place can exist: what was never issued is forged. */
  hasIssued({ term, n }: LogPosition): boolean {
    return term < this.#term || (term === this.#term && n <= this.#n)
  }

  isOwnTerm({ term }: LogPosition): boolean {
    return term === this.#term
  }

  nextTag(): string {
    return toCallTag(this.#term, ++this.#streams)
  }

  append(stream: Stream, entry: Entry): void {
    const event: LogEvent = {
      streamTag: stream.streamTag,
      index: ++stream.assigned,
      position: { term: this.#term, n: ++this.#n },
      kind: entry.kind,
      data: entry.data,
      last: entry.last,
      requestIds: stream.requestIds,
    }
    const outcome = this.#tryAppend(event)
    if (outcome instanceof Promise || this.#queue !== undefined) this.#settleInTurn(stream, event, outcome)
    else this.#settle(stream, event, outcome)
  }

  #tryAppend(event: LogEvent): MaybePromise<AppendOutcome | 'failed'> {
    const failed = (error: unknown): 'failed' => {
      this.#failed(error)
      return 'failed'
    }
    try {
      const outcome = this.#log.append(this.sessionKey, event)
      return outcome instanceof Promise ? outcome.catch(failed) : outcome
    } catch (error) {
      return failed(error)
    }
  }

  #settleInTurn(stream: Stream, event: LogEvent, outcome: MaybePromise<AppendOutcome | 'failed'>): void {
    const turn = this.#settleAfter(this.#queue, stream, event, outcome).then(() => {
      if (this.#queue === turn) this.#queue = undefined
    })
    this.#queue = turn
  }

  async #settleAfter(
    before: Promise<void> | undefined,
    stream: Stream,
    event: LogEvent,
    outcome: MaybePromise<AppendOutcome | 'failed'>,
  ): Promise<void> {
    const settled = await outcome
    await before
    this.#settle(stream, event, settled)
  }

  /** An event that could not be stored is still delivered to whoever is reading: without an id, since nobody can resume from it. */
  #settle(stream: Stream, event: LogEvent, outcome: AppendOutcome | 'failed'): void {
    if (outcome === 'ok') stream.stored(event)
    else stream.unstored(event)
    if (outcome === 'fenced' || outcome === 'gone') this.#failed(outcome)
  }

  read(streamTag: string, after: number, limit: number): MaybePromise<LogPage | undefined> {
    return this.#log.read(this.sessionKey, streamTag, after, limit)
  }

  release(stream: Stream): void {
    this.#log.release(this.sessionKey, stream.streamTag)
  }

  delete(): MaybePromise<void> {
    return this.#log.delete(this.sessionKey)
  }
}
