import { within } from '../promises/deadline.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { WireActivity, Word } from './wire.ts'

/** Time, in milliseconds, that a node has to say what its sessions do. */
const answerMs = 2_000

export interface LooksParts {
  /** The name of this node. */
  readonly node: () => string
  readonly say: (node: string, word: Word) => void
  /** Of the sessions of this node. */
  readonly activities: () => readonly WireActivity[]
}

/** Asks other nodes what their sessions do, and is asked. */
export class Looks {
  readonly #parts: LooksParts
  readonly #open = new Map<string, (sessions: readonly WireActivity[]) => void>()

  constructor(parts: LooksParts) {
    this.#parts = parts
  }

  /** By key; none of a node that does not answer in time. */
  async at(node: string): Promise<ReadonlyMap<string, SessionActivity>> {
    const id = crypto.randomUUID()
    try {
      const answering = new Promise<readonly WireActivity[]>((resolve) => this.#open.set(id, resolve))
      this.#parts.say(node, { type: 'look', id, from: this.#parts.node() })
      const sessions = await within(answerMs, answering, 'the node to answer')
      return new Map(sessions.map(({ key, ...activity }) => [key, activity]))
    } catch {
      return new Map()
    } finally {
      this.#open.delete(id)
    }
  }

  hear(word: Extract<Word, { type: 'look' | 'seen' }>): void {
    if (word.type === 'seen') this.#open.get(word.id)?.(word.sessions)
    else this.#parts.say(word.from, { type: 'seen', id: word.id, sessions: this.#parts.activities() })
  }
}
