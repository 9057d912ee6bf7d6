import type { LiveSession } from './live-session.ts'

/** Time, in milliseconds, between two parts, and how many there are at most. */
const pauseMs = 100
const maxParts = 50

/** Sessions of one part at least: few clients need not wait. */
const minPart = 20

/**
 * Tells sessions that something may have happened which they did not hear. Their clients then fetch all lists anew: those
 * that listen are told a part at a time, over 5 s at most, or all clients of all nodes would ask in one moment.
 */
export class MakingUp {
  #left: LiveSession[] = []
  #part = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Begins anew where it was under way: who has been told may have missed something again. */
  begin(sessions: Iterable<LiveSession>): void {
    clearTimeout(this.#timer)
    this.#left = []
    for (const session of sessions) {
      if (!session.initialized) continue
      // Where nobody listens it is only noted, and the session may go to another node meanwhile.
      if (session.streams.standalone.reader) this.#left.push(session)
      else session.streams.makeUp()
    }
    this.#part = Math.max(minPart, Math.ceil(this.#left.length / maxParts))
    this.#tellPart()
  }

  /** Tells those that are left at once. */
  finish(): void {
    clearTimeout(this.#timer)
    for (const { streams } of this.#left.splice(0)) streams.makeUp()
  }

  #tellPart(): void {
    for (const { streams } of this.#left.splice(0, this.#part)) streams.makeUp()
    if (this.#left.length === 0) return
    this.#timer = setTimeout(() => this.#tellPart(), pauseMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
  }
}
