import type { LogPosition } from '../backplane/backplane.ts'

/** A place in a stream: after the event with this index. Index 0 is the stream's beginning. */
export interface EventPlace {
  readonly streamTag: string
  readonly index: number
  readonly position: LogPosition
}

/**
 * Turns places into SSE ids. An id is at most 40 visible ASCII characters, since clients send it back in a header,
 * and unique in its session (Resumability and Redelivery 1).
 */
export interface EventIdCodec {
  encode(place: EventPlace): string
  /**
   * `undefined` for whatever `encode` did not make. Must not throw, and must take linear time: the text is the
   * client's.
   */
  decode(eventId: string): EventPlace | undefined
}

/** Longest id the codec may make, and the longest that is looked at. */
export const maxEventIdLength = 40

const number = '(?:0|[1-9a-z][0-9a-z]{0,9})'
const grammar = new RegExp(`^(g|p${number}-${number})\\.(${number})\\.(${number})-(${number})$`)

/** `<stream>.<index>.<term>-<n>`, numbers in base 36: readable in a network trace, and every part can be checked. */
export function createEventIdCodec(): EventIdCodec {
  return { encode, decode }
}

function encode({ streamTag, index, position }: EventPlace): string {
  return `${streamTag}.${index.toString(36)}.${position.term.toString(36)}-${position.n.toString(36)}`
}

function decode(eventId: string): EventPlace | undefined {
  const parts = eventId.length > maxEventIdLength ? null : grammar.exec(eventId)
  if (!parts) return undefined
  const [, streamTag, index, term, n] = parts as unknown as [string, string, string, string, string]
  return { streamTag, index: parseInt(index, 36), position: { term: parseInt(term, 36), n: parseInt(n, 36) } }
}

/** The standalone stream, opened by GET. */
export const standaloneTag = 'g'

/** Tag of the `count`-th call stream that an owner of this term opened. */
export function toCallTag(term: number, count: number): string {
  return `p${term.toString(36)}-${count.toString(36)}`
}
