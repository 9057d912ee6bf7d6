import type { EventIdCodec, EventPlace } from './event-id.ts'

/**
 * The only place that makes event-stream text (WHATWG HTML §9.2.5). `data` is JSON text and `eventId` comes from the
 * codec, so neither holds a line break.
 */
export function formatEvent(eventId: string, data: string): string {
  return `id: ${eventId}\ndata: ${data}\n\n`
}

/** What comes before the data of an event. */
export function formatEventHead(eventId?: string): string {
  return eventId === undefined ? 'data: ' : `id: ${eventId}\ndata: `
}

/** What comes after it. */
export const eventEnd = '\n\n'

/** An event that does not move the client's cursor. */
export function formatEventWithoutId(data: string): string {
  return `data: ${data}\n\n`
}

/** Sets the client's cursor and delivers nothing (Sending Messages 6: id and empty data). */
export function formatPriming(eventId: string): string {
  return `id: ${eventId}\ndata: \n\n`
}

/** How long, in milliseconds, the client waits before it reconnects. */
export function formatRetry(ms: number): string {
  return `retry: ${ms}\n\n`
}

/** Delivers nothing; makes proxies pass the headers on and keep the connection open. */
export const comment = ':\n\n'

/** Events were dropped between the one before and the next. */
export const gapComment = ': events were dropped here\n\n'

/** How the events of a stream are written for one kind of client. */
export interface StreamFormat {
  /** Clients come back with a cursor when the connection breaks, by this revision. */
  readonly canResume: boolean
  /** Says that events were dropped here, to who reads the bytes. */
  readonly gap: string
  /** Before a planned end: how long the client is to wait, in milliseconds. */
  comeBackIn(ms: number): string
  /**
   * What comes before the first event. `from` is the place the client has, `undefined` when it cannot come back yet;
   * `missed` makes up for what it cannot get.
   */
  opening(from: EventPlace | undefined, missed: readonly string[]): string
  /** From now on the client can come back to this place. */
  priming(place: EventPlace): string
  /** What comes before a message of {@link message}, which {@link eventEnd} ends. */
  head(place?: EventPlace): string
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
  readonly gap = gapComment
  readonly #options: ResumableOptions

  constructor(options: ResumableOptions) {
    this.#options = options
  }

  get canResume(): boolean {
    return this.#options.priming
  }

  comeBackIn(ms: number): string {
    return formatRetry(ms)
  }

  /** `retry` first, then a cursor or a comment: whatever happens next, the client knows how to come back. */
  opening(from: EventPlace | undefined, missed: readonly string[]): string {
    const { retryMs } = this.#options
    // Spread over time, so that clients cut off together do not come back together.
    const retry = formatRetry(Math.round(retryMs * (1 + Math.random() / 2)))
    const madeUp = missed.map(formatEventWithoutId).join('')
    return retry + madeUp + ((from && this.priming(from)) || comment)
  }

  priming(place: EventPlace): string {
    const { eventIds, priming } = this.#options
    return priming ? formatPriming(eventIds.encode(place)) : ''
  }

  head(place?: EventPlace): string {
    return formatEventHead(place && this.#options.eventIds.encode(place))
  }

  message(data: string, place?: EventPlace): string {
    return place ? formatEvent(this.#options.eventIds.encode(place), data) : formatEventWithoutId(data)
  }
}
