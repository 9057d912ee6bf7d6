import type { Noted } from '../node/words.ts'

export interface Entry {
  readonly place: string
  readonly index: number
  readonly data: string
  /** The log said that it has it. */
  isAcked: boolean
  /** The log said that its sender does not own the session any more. */
  isFenced: boolean
}

interface Notes {
  readonly byPlace: Map<string, Entry>
  readonly byStream: Map<string, Entry[]>
}

/** What the nodes gave to the log, and what that acknowledged. */
export class Journal {
  readonly #sessions = new Map<string, Notes>()
  readonly #spoiled = new Set<string>()

  append({ sessionKey, place, streamTag, index, data }: Noted): void {
    const { byPlace, byStream } = this.#notesOf(sessionKey)
    const entry = { place, index, data, isAcked: false, isFenced: false }
    byPlace.set(place, entry)
    const entries = byStream.get(streamTag)
    if (entries) entries.push(entry)
    else byStream.set(streamTag, [entry])
  }

  acked(sessionKey: string, place: string): void {
    const entry = this.#sessions.get(sessionKey)?.byPlace.get(place)
    if (entry) entry.isAcked = true
  }

  fenced(sessionKey: string, place: string): void {
    const entry = this.#sessions.get(sessionKey)?.byPlace.get(place)
    if (entry) entry.isFenced = true
  }

  find(sessionKey: string, place: string): Entry | undefined {
    return this.#sessions.get(sessionKey)?.byPlace.get(place)
  }

  /** Messages that the log has acknowledged. */
  acknowledged(sessionKey: string, streamTag: string): Entry[] {
    const entries = this.#sessions.get(sessionKey)?.byStream.get(streamTag) ?? []
    return entries.filter(({ isAcked, data }) => isAcked && data !== '')
  }

  /** Somebody else writes to the session's log: that it is fenced says nothing. */
  spoil(sessionKey: string): void {
    this.#spoiled.add(sessionKey)
  }

  /** What nodes gave to the log for the session after they had lost it to another. */
  stale(sessionKey: string): Set<string> {
    if (this.#spoiled.has(sessionKey)) return new Set()
    const entries = [...(this.#sessions.get(sessionKey)?.byPlace.values() ?? [])]
    return new Set(entries.filter(({ isFenced }) => isFenced).map(({ data }) => data))
  }

  forget(sessionKey: string): void {
    this.#sessions.delete(sessionKey)
  }

  #notesOf(sessionKey: string): Notes {
    const notes = this.#sessions.get(sessionKey) ?? { byPlace: new Map(), byStream: new Map() }
    this.#sessions.set(sessionKey, notes)
    return notes
  }
}
