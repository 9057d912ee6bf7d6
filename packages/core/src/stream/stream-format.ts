import type { EventIdCodec, EventPlace } from './event-id.ts'
import { comment, formatEvent, formatEventWithoutId, formatPriming, formatRetry } from './sse-format.ts'

/** How the events of a stream are written for one kind of client. */
export interface StreamFormat {
  /** What comes before the first event. `from` is the place the client has, `missed` makes up for what it cannot get. */
  opening(from: EventPlace, missed: readonly string[]): string
  /** A message; `place` is where a client resumes after it, `undefined` when it cannot. */
  message(data: string, place?: EventPlace): string
}

export interface ResumableOptions {
  readonly eventIds: EventIdCodec
  readonly retryMs: number
  /** The client understands an event with empty data, so the stream may start with one that only carries an id. */
  readonly priming: boolean
}

/** Streams that clients come back to. */
export class ResumableFormat implements StreamFormat {
  readonly #options: ResumableOptions

  constructor(options: ResumableOptions) {
    this.#options = options
  }

  /** `retry` first, then a cursor or a comment: whatever happens next, the client knows how to come back. */
  opening(from: EventPlace, missed: readonly string[]): string {
    const { eventIds, retryMs, priming } = this.#options
    // Spread over time, so that clients cut off together do not come back together.
    const retry = formatRetry(Math.round(retryMs * (1 + Math.random() / 2)))
    const madeUp = missed.map(formatEventWithoutId).join('')
    return retry + madeUp + (priming ? formatPriming(eventIds.encode(from)) : comment)
  }

  message(data: string, place?: EventPlace): string {
    return place ? formatEvent(this.#options.eventIds.encode(place), data) : formatEventWithoutId(data)
  }
}
