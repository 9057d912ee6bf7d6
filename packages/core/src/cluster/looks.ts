import { within } from '../promises/deadline.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { StreamInfo } from '../stream/stream-info.ts'
import type { WireActivity, Word } from './wire.ts'

/** Time, in milliseconds, that a node has to say what its sessions do. */
const answerMs = 2_000

export interface LooksParts {
  /** The name of this node. */
  readonly node: () => string
  readonly say: (node: string, word: Word) => void
  /** Of the sessions of this node. */
  readonly activities: () => readonly WireActivity[]
  /** Of one session; `undefined`: it is not here. */
  readonly streams: (key: string) => Promise<readonly StreamInfo[] | undefined>
}

type Look = Extract<Word, { type: 'look' }>
type Seen = Omit<Extract<Word, { type: 'seen' }>, 'type' | 'id'>

/** Asks other nodes what their sessions do, and is asked. */
export class Looks {
  readonly #parts: LooksParts
  readonly #open = new Map<string, (seen: Seen) => void>()

  constructor(parts: LooksParts) {
    this.#parts = parts
  }

  /** By key; none of a node that does not answer in time. */
  async at(node: string): Promise<ReadonlyMap<string, SessionActivity>> {
    const { sessions } = await this.#look(node)
    return new Map(sessions.map(({ key, ...activity }) => [key, activity]))
  }

  /** Of one session; `undefined` where its node does not say in time. */
  async streamsAt(node: string, key: string): Promise<readonly StreamInfo[] | undefined> {
    return (await this.#look(node, key)).streams
  }

  async #look(node: string, key?: string): Promise<Seen> {
    const id = crypto.randomUUID()
    try {
      const answering = new Promise<Seen>((resolve) => this.#open.set(id, resolve))
      this.#parts.say(node, { type: 'look', id, from: this.#parts.node(), key })
      return await within(answerMs, answering, 'the node to answer')
    } catch {
      return { sessions: [] }
    } finally {
      this.#open.delete(id)
    }
  }

  hear(word: Extract<Word, { type: 'look' | 'seen' }>): void {
    if (word.type === 'seen') this.#open.get(word.id)?.(word)
    else if (word.key === undefined) this.#answer(word, { sessions: this.#parts.activities() })
    else void this.#answerStreams(word, word.key)
  }

  /** A log that fails is reported where it is used; who asks waits no longer for that. */
  async #answerStreams(word: Look, key: string): Promise<void> {
    const streams = await this.#parts.streams(key).catch(() => undefined)
    this.#answer(word, { sessions: [], streams })
  }

  #answer({ id, from }: Look, seen: Seen): void {
    this.#parts.say(from, { type: 'seen', id, ...seen })
  }
}
