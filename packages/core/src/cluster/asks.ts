import type { Forwarded } from './forwarded-request.ts'
import type { Neighbours } from './neighbours.ts'
import type { Outcome, Word } from './wire.ts'

/** Time, in milliseconds, after which a request that nobody has confirmed is sent again. */
const repeatMs = 500

/** Time, in milliseconds, after which an answer that is expected is asked for. */
const pokeMs = 1_000

/** How often a request is sent before the owner counts as out of reach: its lease runs, but it does not listen. */
const maxSent = 10

/** The node that was asked is gone. `wasTaken`: it had the request, and what became of that nobody knows. */
export class NodeGone extends Error {
  override readonly name = 'NodeGone'
  readonly wasTaken: boolean

  constructor(wasTaken: boolean) {
    super('The node that was asked is gone')
    this.wasTaken = wasTaken
  }
}

/**
 * The node that was asked does not answer, and its lease runs. `wasTaken`: it has the request, and this node waits no
 * longer.
 */
export class NotReached extends Error {
  override readonly name = 'NotReached'
  readonly wasTaken: boolean

  constructor(message: string, wasTaken: boolean) {
    super(message)
    this.wasTaken = wasTaken
  }
}

export interface AsksParts {
  /** The name of this node. */
  readonly node: () => string
  readonly say: (node: string, word: Word) => void
  readonly neighbours: Neighbours
  /** Hears what was said of a stream before the answer that it is, once that is received. */
  readonly follow: (word: StreamWord) => void
}

type StreamWord = Extract<Word, { readonly type: 'came' | 'cut' }>

/** Which request, and whose. */
export interface Question<Answer> {
  readonly id: string
  readonly owner: string
  readonly request: Forwarded
  /** Called as soon as the answer is heard: what is said of a stream after that may be next. */
  readonly receive: (outcome: Outcome) => Answer
}

/** Requests that other nodes answer. A message may be lost, so each is repeated until it is heard of; never executed twice. */
export class Asks {
  readonly #parts: AsksParts
  readonly #pending = new Map<string, Pick<PendingAsk<never>, Heard>>()

  constructor(parts: AsksParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#pending.size
  }

  /**
   * `onGone` tells when the client has left.
   * @throws NodeGone
   * @throws NotReached
   */
  async ask<Answer>(question: Question<Answer>, onGone?: (listener: () => void) => void): Promise<Answer> {
    const pending = new PendingAsk(question, this.#parts)
    this.#pending.set(question.id, pending)
    try {
      // It throws where the request has no JSON, as a token's `extra` may not.
      pending.repeat()
      onGone?.(() => pending.leave())
      return await pending.answer
    } finally {
      pending.end()
      this.#pending.delete(question.id)
    }
  }

  hear(word: Word): void {
    const pending = this.#pending.get(word.id)
    if (word.type === 'taken') pending?.taken()
    else if (word.type === 'answer') pending?.answered(word.outcome)
    else if (word.type === 'unknown') pending?.unknown()
    else if (word.type === 'came' || word.type === 'cut') pending?.cameEarly(word)
  }

  /** Messages may have been lost. */
  lookAfter(): void {
    for (const pending of this.#pending.values()) pending.repeat()
  }

  close(): void {
    for (const pending of this.#pending.values()) pending.giveUp('This node is shutting down')
  }
}

/** What is done with any of them. */
type Heard = 'taken' | 'answered' | 'unknown' | 'cameEarly' | 'repeat' | 'giveUp'

class PendingAsk<Answer> {
  readonly answer: Promise<Answer>
  readonly #question: Question<Answer>
  readonly #parts: AsksParts
  readonly #stopWatching: () => void
  #settle: (answer: Answer) => void = () => undefined
  #reject: (error: Error) => void = () => undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #wasTaken = false
  #isOver = false
  #hasLeft = false
  #sent = 0
  /** The newest of each kind: it says all that those before it did. Most questions never have one. */
  #early: Map<string, StreamWord> | undefined

  constructor(question: Question<Answer>, parts: AsksParts) {
    this.#question = question
    this.#parts = parts
    this.answer = new Promise((resolve, reject) => {
      this.#settle = resolve
      this.#reject = reject
    })
    this.#stopWatching = parts.neighbours.watch(question.owner, () => this.#fail(new NodeGone(this.#wasTaken)))
  }

  taken(): void {
    if (this.#isOver) return
    this.#wasTaken = true
    this.#wait(pokeMs)
  }

  answered(outcome: Outcome): void {
    if (this.#isOver) return
    this.end()
    this.#settle(this.#question.receive(outcome))
    for (const word of this.#early?.values() ?? []) this.#parts.follow(word)
  }

  /** The append that stores an event may tell of it, on another way than the answer, which it may overtake. */
  cameEarly(word: StreamWord): void {
    if (this.#isOver) return
    this.#early ??= new Map()
    this.#early.set(word.type, word)
  }

  unknown(): void {
    if (this.#wasTaken) this.#fail(new NodeGone(true))
  }

  /** Said again with whatever is: it may be lost as well, or be of a request that was. */
  leave(): void {
    this.#hasLeft = true
    if (!this.#isOver) this.#say({ type: 'left', id: this.#question.id })
  }

  /** This node waits for the answer no longer, and nobody else will get it. */
  giveUp(reason: string): void {
    this.leave()
    this.#fail(new NotReached(reason, this.#wasTaken))
  }

  #fail(error: Error): void {
    this.end()
    this.#reject(error)
  }

  repeat(): void {
    if (this.#isOver) return
    const { id, request } = this.#question
    const from = this.#parts.node()
    if (this.#wasTaken) this.#say({ type: 'poke', id, from })
    else if (this.#sent++ === maxSent) return this.giveUp('The node of the session does not answer')
    else this.#say({ type: 'ask', id, from, request })
    if (this.#hasLeft) this.leave()
    this.#wait(this.#wasTaken ? pokeMs : repeatMs)
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.repeat(), ms)
  }

  #say(word: Word): void {
    this.#parts.say(this.#question.owner, word)
  }

  end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#stopWatching()
  }
}
