import { atTurnsEnd } from '../promises/next-turn.ts'
import { toText, type Word } from './wire.ts'

/** Characters of words that are sent in one message. A longer one goes alone. */
const maxGathered = 65_536

/**
 * What this node says to others. The words of one turn of the event loop to one node go in one message, in their order:
 * with many clients a message, and its way through the bus, costs more than the words in it.
 */
export class Outbox {
  readonly #send: (node: string, text: string) => void
  /** To each node, as JSON, with commas between. */
  readonly #gathered = new Map<string, string>()
  #willFlush = false

  constructor(send: (node: string, text: string) => void) {
    this.#send = send
  }

  say(node: string, word: Word): void {
    const text = toText(word)
    if ((this.#gathered.get(node)?.length ?? 0) + text.length > maxGathered) this.flushTo(node)
    const gathered = this.#gathered.get(node)
    this.#gathered.set(node, gathered === undefined ? text : `${gathered},${text}`)
    if (this.#willFlush) return
    this.#willFlush = true
    atTurnsEnd(() => {
      this.#willFlush = false
      this.flush()
    })
  }

  /** Something is sent to the node in another way: what was said before it goes first. */
  flushTo(node: string): void {
    const gathered = this.#gathered.get(node)
    if (gathered === undefined) return
    this.#gathered.delete(node)
    this.#send(node, `[${gathered}]`)
  }

  flush(): void {
    for (const node of [...this.#gathered.keys()]) this.flushTo(node)
  }
}
