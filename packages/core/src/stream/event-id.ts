import type { LogPosition } from '../backplane/backplane.ts'
import { expected, withMethods } from '../option-checks.ts'

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

const visible = new RegExp(`^[\\x21-\\x7e]{1,${maxEventIdLength}}$`)

/**
 * The check of the option `eventIds`: a codec whose ids are looked at, since each goes into a stream as it is.
 * @throws TypeError for what is no codec, or does not give back what it was given; its `encode` does for an id that cannot
 *   be sent
 */
export function toEventIdCodec(value: unknown, name: string): EventIdCodec {
  if (value === undefined) return createEventIdCodec()
  const codec = toChecked(withMethods<EventIdCodec>('encode', 'decode')(value, name), name)
  for (const place of tried) {
    const found: unknown = codec.decode(codec.encode(place))
    if (isPlace(found, place)) continue
    throw expected(`${name}.decode to give back the ${JSON.stringify(place)} that ${name}.encode was given`, found)
  }
  return codec
}

function toChecked(codec: EventIdCodec, name: string): EventIdCodec {
  return {
    encode(place) {
      const id: unknown = codec.encode(place)
      if (typeof id === 'string' && visible.test(id)) return id
      throw expected(`${name}.encode to give 1 to ${maxEventIdLength} visible ASCII characters`, id)
    },
    decode: (eventId) => codec.decode(eventId),
  }
}

function isPlace(value: unknown, { streamTag, index, position: { term, n } }: EventPlace): boolean {
  const found = value as Partial<EventPlace> | null | undefined
  const { position } = found ?? {}
  return found?.streamTag === streamTag && found.index === index && position?.term === term && position.n === n
}

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

/** No event of a log has this number. It is the largest that an id has room for. */
const beyondAll = 36 ** 10 - 1

/**
 * The end of a stream whose answer is not kept, for a client that was told so: no owner has an event there, and each knows
 * that nothing follows.
 */
export function toGoneEnd(streamTag: string, index: number, { term }: LogPosition): EventPlace {
  return { streamTag, index, position: { term, n: beyondAll } }
}

export function isGoneEnd({ index, position }: EventPlace): boolean {
  return index > 0 && position.n === beyondAll
}

/** The standalone stream, opened by GET. */
export const standaloneTag = 'g'

/** Tag of the `count`-th call stream that an owner of this term opened. */
export function toCallTag(term: number, count: number): string {
  return `p${term.toString(36)}-${count.toString(36)}`
}

/** A beginning, and the end of a long stream of a session that had many owners. */
const tried: readonly EventPlace[] = [
  { streamTag: standaloneTag, index: 0, position: { term: 0, n: 0 } },
  { streamTag: toCallTag(56, 3_600), index: 100_000, position: { term: 56, n: 1_000_000 } },
]
