import { createEventIdCodec, type EventPlace } from '../../../packages/core/src/stream/event-id.ts'
import type { SseEvent } from '../../clients/sse.ts'
import type { Journal } from './journal.ts'
import type { Tally } from './tally.ts'

export interface StreamCheckParts {
  readonly tally: Tally
  readonly journal: Journal
  readonly sessionKey: string
  /** Name of the client, and of the stream, for who reads of a fault. */
  readonly name: string
  readonly client: string
}

const codec = createEventIdCodec()
const lostSession = 'The session lives on elsewhere'
const goneAnswer = 'The answer to this request is no longer kept'

/**
 * One stream as a client gets it that comes back with its last event id. It is held to what the nodes gave to the log
 * when all they said has come.
 */
export class StreamCheck {
  last: EventPlace | undefined
  readonly #parts: StreamCheckParts
  readonly #delivered: { readonly place: EventPlace; readonly data: string }[] = []
  /** Messages that came without an id: the log could not take them, or may have. */
  readonly #unstored = new Set<string>()
  /** From the one index to the other, without a word. */
  readonly #jumps: (readonly [number, number])[] = []
  /** The same, after word of a gap. */
  readonly #toldJumps: (readonly [number, number])[] = []
  #isTold = false

  constructor(parts: StreamCheckParts) {
    this.#parts = parts
  }

  /** A new connection goes on with the stream. */
  connected(isTold: boolean): void {
    this.#isTold = isTold
  }

  /** The stream says that something is missing before the next event. */
  told(): void {
    this.#isTold = true
  }

  /** `false`: the message has come before. */
  take({ id, data }: SseEvent): boolean {
    if (data !== '') this.#checkOwner(data)
    if (id === undefined) return this.#takeUnstored(data)
    const place = codec.decode(id)
    if (!place) return this.#fault('phantom', `an id that is none: ${id}`)
    if (this.last && place.streamTag !== this.last.streamTag) return this.#fault('foreign', `${id} is another stream's`)
    if (data === '') return this.#prime(place)
    if (this.last && place.index <= this.last.index) return this.#takeLate(place, id, data)
    // The beginning has a place of its own in each term.
    if (this.last && this.last.index > 0 && !isAfter(place, this.last))
      return this.#fault('reordered', `${id} after ${codec.encode(this.last)}`)
    this.#parts.tally.count('events')
    const from = this.last?.index ?? (place.streamTag === 'g' ? place.index - 1 : 0)
    if (place.index > from + 1) (this.#isTold ? this.#toldJumps : this.#jumps).push([from, place.index])
    this.#isTold = false
    this.last = place
    this.#delivered.push({ place, data })
    return !this.#unstored.has(data)
  }

  /** All that the nodes said has come. `isComplete`: the client has waited for everything. */
  judge(isComplete: boolean): void {
    const { journal, sessionKey, tally } = this.#parts
    const { last } = this
    if (!last) return
    for (const { place, data } of this.#delivered) {
      const entry = journal.find(sessionKey, toPlace(place))
      if (entry?.data !== data && !data.includes(goneAnswer)) {
        this.#fault('phantom', `${codec.encode(place)} is ${data}, appended was ${entry?.data}`)
      }
    }
    const stale = journal.stale(sessionKey)
    for (const data of this.#unstored) {
      // It had lost the session, and did not know yet: nobody can resume from that, so it takes nothing's place.
      if (stale.has(data) && !data.includes(lostSession)) tally.count('without id, of a node that was fenced')
    }
    const jumps = [...this.#jumps, ...(isComplete && !this.#isTold ? [[last.index, Infinity] as const] : [])]
    for (const { text } of this.#missing(jumps)) this.#fault('lost', text)
    tally.count('acknowledged events in gaps that were told', this.#missing(this.#toldJumps).length)
    tally.count('streams')
  }

  #missing(jumps: readonly (readonly [number, number])[]): { readonly text: string }[] {
    const { journal, sessionKey } = this.#parts
    const streamTag = this.last?.streamTag ?? ''
    const delivered = new Set(this.#delivered.map(({ place }) => toPlace(place)))
    const acknowledged = journal
      .acknowledged(sessionKey, streamTag)
      .filter(({ data, place }) => !this.#unstored.has(data) && !delivered.has(place))
    return jumps.flatMap(([from, to]) =>
      acknowledged
        .filter(({ index }) => index > from && index < to)
        .map(({ index, data }) => ({ text: `${streamTag} ${index}, between ${from} and ${to}: ${data}` })),
    )
  }

  #prime(place: EventPlace): boolean {
    // After a gap that was told the stream may begin anew.
    if (this.#isTold || !this.last) this.last = place
    return true
  }

  #takeLate(place: EventPlace, id: string, data: string): boolean {
    // The end of what is no longer kept has the id of an event that has come.
    if (data.includes(goneAnswer)) return true
    const isRepeated = this.#delivered.some((each) => codec.encode(each.place) === id)
    return this.#fault(isRepeated ? 'doubled' : 'reordered', `${id} after ${codec.encode(this.last ?? place)}`)
  }

  #takeUnstored(data: string): boolean {
    if (data.includes('/list_changed')) this.told()
    if (data.includes('/list_changed') || data.includes(goneAnswer) || data === '') return true
    this.#parts.tally.count('without id')
    this.#unstored.add(data)
    return true
  }

  #checkOwner(data: string): void {
    const owner = /"session":"([^"]+)"/.exec(data)?.[1]
    if (owner !== undefined && owner !== this.#parts.client) this.#fault('foreign', `an event of ${owner}: ${data}`)
  }

  #fault(kind: Parameters<Tally['fault']>[0], text: string): false {
    const { tally, name, client } = this.#parts
    tally.fault(kind, `${client} ${name}: ${text}`)
    return false
  }
}

function toPlace({ streamTag, position: { term, n } }: EventPlace): string {
  return `${streamTag}.${term}-${n}`
}

function isAfter({ position: a }: EventPlace, { position: b }: EventPlace): boolean {
  return a.term > b.term || (a.term === b.term && a.n > b.n)
}
