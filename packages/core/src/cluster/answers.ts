import type { HttpReply } from '../http/http.ts'
import { now } from '../promises/clock.ts'
import { atTurnsEnd } from '../promises/next-turn.ts'
import { LinkedList } from '../queues/linked-list.ts'
import { Connection } from '../stream/connection.ts'
import { ForwardedRequest } from './forwarded-request.ts'
import type { RemoteFollowers } from './remote-followers.ts'
import type { Ask, Outcome, Word } from './wire.ts'

/** Time, in milliseconds, and characters, that answers are kept for who has not heard them. */
const keepMs = 30_000
const maxKept = 16_777_216

/**
 * Time, in milliseconds, after which a node that asks no more for an answer has gone, with its client: one that waits
 * asks each second.
 */
const silenceMs = 45_000

/** Characters that an answer counts beside its body. */
const answerSize = 300

export interface AnswersParts {
  readonly say: (node: string, word: Word) => void
  /** The reply to a request for a session of this node; `undefined`: it is not here. Does not reject. */
  readonly answer: (request: ForwardedRequest) => Promise<HttpReply | undefined>
  readonly followers: RemoteFollowers
}

interface Taken {
  readonly id: string
  /** Until it is answered: what is kept for who has not heard the answer holds nothing of the call. */
  request: ForwardedRequest | undefined
  /** When it was asked for last. */
  heardAt: number
  /** Made when it is said: of a stream it tells how far that has come. */
  outcome?: () => Outcome
  /** Who asked was gone before it was answered. Its answer is nobody's, even if that one comes back. */
  isGivenUp: boolean
  size: number
}

/** Answers requests that came to other nodes, each once however often it is asked. */
export class Answers {
  readonly #parts: AnswersParts
  readonly #taken = new Map<string, Taken>()
  /** Those of them that are, each `since` when it was. */
  readonly #answered = new LinkedList<Taken>()
  #size = 0

  constructor(parts: AnswersParts) {
    this.#parts = parts
  }

  hear(word: Word): void {
    if (word.type === 'ask') this.#asked(word)
    else if (word.type === 'poke') this.#poked(word.id, word.from)
    else if (word.type === 'left') this.#taken.get(word.id)?.request?.leave()
  }

  #asked(ask: Ask): void {
    if (this.#taken.has(ask.id)) this.#poked(ask.id, ask.from)
    else void this.#answer(ask)
  }

  async #answer({ id, from, request: forwarded }: Ask): Promise<void> {
    const request = new ForwardedRequest(forwarded)
    const taken: Taken = { id, request, heardAt: now(), isGivenUp: false, size: 0 }
    this.#taken.set(id, taken)
    // At once: should this node die, the request must not run again. What is answered in this turn needs no word more.
    atTurnsEnd(() => {
      if (!taken.outcome) this.#parts.say(from, { type: 'taken', id })
    })
    const reply = await this.#parts.answer(request)
    taken.request = undefined
    taken.outcome = this.#toOutcome(id, from, reply)
    this.#tell(taken, from)
    this.#keep(taken, answerSize + (typeof reply?.body === 'string' ? reply.body.length : 0))
  }

  #toOutcome(id: string, from: string, reply: HttpReply | undefined): () => Outcome {
    if (!reply) return () => ({ elsewhere: true })
    const { status, headers, body } = reply
    if (body instanceof Connection) return this.#parts.followers.follow(id, from, body.handOver(), headers)
    return () => ({ reply: { status, headers, body: body as string | undefined } })
  }

  #poked(id: string, from: string): void {
    const taken = this.#taken.get(id)
    if (!taken) return this.#parts.say(from, { type: 'unknown', id })
    taken.heardAt = now()
    this.#tell(taken, from)
  }

  #tell({ id, outcome, isGivenUp }: Taken, from: string): void {
    if (outcome && !isGivenUp) return this.#parts.say(from, { type: 'answer', id, outcome: outcome() })
    this.#parts.say(from, { type: 'taken', id })
    if (isGivenUp) this.#parts.say(from, { type: 'unknown', id })
  }

  /** Leaves the calls of nodes that are gone. Of a stream that is done by who follows it for them. */
  lookAfter(): void {
    const since = now() - silenceMs
    for (const taken of this.#taken.values()) {
      if (taken.outcome || taken.heardAt > since) continue
      taken.isGivenUp = true
      taken.request?.leave()
    }
  }

  #keep(taken: Taken, size: number): void {
    taken.size = size
    this.#size += size
    this.#answered.add(taken, now())
    this.forget()
  }

  /** What was answered long enough ago, and what is too much. */
  forget(): void {
    const since = now() - keepMs
    let { first } = this.#answered
    while (first && (first.since <= since || this.#size > maxKept)) {
      this.#answered.remove(first)
      this.#taken.delete(first.item.id)
      this.#size -= first.item.size
      first = this.#answered.first
    }
  }
}
