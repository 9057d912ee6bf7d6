import type { Announcer, AnnouncingLog } from '../backplane/announcer.ts'
import type { AppendOutcome, LogEvent, LogPosition } from '../backplane/backplane.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { toCallTag } from './event-id.ts'
import type { Fate } from './feed.ts'

export interface LogWriterOptions {
  readonly sessionKey: string
  readonly term: number
  readonly log: AnnouncingLog
  /** Receives the error of an append that failed, or its outcome when another node has taken over. */
  readonly failed: (failure: unknown) => void
}

/** A stream that appends: it hears how that went. */
export interface Appender extends Announcer {
  /**
   * An append was settled, in the order of positions. An event that is not stored can be delivered, not resumed from.
   */
  settled(event: LogEvent, fate: Fate): void
}

type Outcome = AppendOutcome | 'failed'

/** Of the node that opened the session. */
const firstTerm = 1

/**
 * The owner's pen: one session's part of the event log. Gives every event its position, and lets events become visible
 * in that order only, so that the order on the wire is the order of ids.
 */
export class LogWriter {
  readonly #options: LogWriterOptions
  #n = 0
  #streams = 0
  #queue: Promise<void> | undefined
  #held: Promise<unknown> | undefined

  constructor(options: LogWriterOptions) {
    this.#options = options
  }

  /** Position of the newest event. */
  get position(): LogPosition {
    return { term: this.#options.term, n: this.#n }
  }

  /** Something that was appended is not settled: the next owner must not come before that. */
  get isBusy(): boolean {
    return this.#queue !== undefined
  }

  /** What is appended now waits, for what was appended before or for the session's record. */
  get isHeld(): boolean {
    return this.isBusy || this.#held !== undefined
  }

  /** Whether this owner, or one before it, can have given out this position: one that was never given out is forged. */
  hasIssued({ term, n }: LogPosition): boolean {
    if (term < firstTerm) return false
    return term < this.#options.term || (term === this.#options.term && n <= this.#n)
  }

  isOwnTerm({ term }: LogPosition): boolean {
    return term === this.#options.term
  }

  nextTag(): string {
    return toCallTag(this.#options.term, ++this.#streams)
  }

  /** Of the streams that were opened last, newest first. */
  newestTags(limit: number): string[] {
    const length = Math.min(limit, this.#streams)
    return Array.from({ length }, (_, i) => toCallTag(this.#options.term, this.#streams - i))
  }

  nextPosition(): LogPosition {
    return { term: this.#options.term, n: ++this.#n }
  }

  /** A log that looks at the session's record has none before that is stored: what is appended until then waits. */
  holdUntil(stored: Promise<unknown>): void {
    const go = (): void => {
      this.#held = undefined
    }
    this.#held = stored.then(go, go)
  }

  append(event: LogEvent, appender: Appender): void {
    const outcome = this.#tryAppend(event, appender)
    if (typeof outcome !== 'string' || this.#queue !== undefined) this.#settleInTurn(event, appender, outcome)
    else this.#settle(event, appender, outcome)
  }

  /** The event need not be kept any more. */
  settle(streamTag: string, index: number): void {
    this.#options.log.settle?.(this.#options.sessionKey, streamTag, index)
  }

  /** Removes everything the session has in the log, unless another owner has it by now. */
  delete(): MaybePromise<void> {
    return this.#options.log.delete(this.#options.sessionKey, this.#options.term)
  }

  #tryAppend(event: LogEvent, appender: Appender): MaybePromise<Outcome> {
    try {
      const outcome =
        this.#held === undefined ? this.#send(event, appender) : this.#held.then(() => this.#send(event, appender))
      return typeof outcome === 'string' ? outcome : Promise.resolve(outcome).catch((error) => this.#fail(error))
    } catch (error) {
      return this.#fail(error)
    }
  }

  #send(event: LogEvent, appender: Appender): MaybePromise<AppendOutcome> {
    return this.#options.log.append(this.#options.sessionKey, [event], appender)
  }

  #fail(error: unknown): 'failed' {
    this.#options.failed(error)
    return 'failed'
  }

  #settleInTurn(event: LogEvent, appender: Appender, outcome: MaybePromise<Outcome>): void {
    const turn = this.#settleAfter(this.#queue, event, appender, outcome).then(() => {
      if (this.#queue === turn) this.#queue = undefined
    })
    this.#queue = turn
  }

  async #settleAfter(
    before: Promise<void> | undefined,
    event: LogEvent,
    appender: Appender,
    outcome: MaybePromise<Outcome>,
  ): Promise<void> {
    const settled = await outcome
    await before
    this.#settle(event, appender, settled)
  }

  #settle(event: LogEvent, appender: Appender, outcome: Outcome): void {
    appender.settled(event, fateOf(outcome))
    if (outcome === 'ok' || outcome === 'failed') return
    const isKnown = outcome === 'fenced' || outcome === 'gone'
    this.#options.failed(isKnown ? outcome : new TypeError(`Expected an outcome of append, got ${String(outcome)}`))
  }
}

function fateOf(outcome: Outcome): Fate {
  if (outcome === 'ok') return 'stored'
  return outcome === 'fenced' ? 'fenced' : 'unstored'
}
