import { Spread } from '../promises/spread.ts'
import type { LiveSession } from './live-session.ts'

/**
 * Tells sessions that something may have happened which they did not hear. Their clients then fetch all lists anew: those
 * that listen are told a part at a time.
 */
export class MakingUp {
  readonly #listening = new Spread<LiveSession>(({ streams }) => streams.makeUp())

  /** Begins anew where it was under way: who has been told may have missed something again. */
  begin(sessions: Iterable<LiveSession>): void {
    const listening: LiveSession[] = []
    for (const session of sessions) {
      if (!session.initialized) continue
      // Where nobody listens it is only noted, and the session may go to another node meanwhile.
      if (session.streams.standalone.reader) listening.push(session)
      else session.streams.makeUp()
    }
    this.#listening.begin(listening)
  }

  /** Tells those that are left at once. */
  finish(): void {
    this.#listening.finish()
  }
}
