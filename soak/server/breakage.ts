import type { Mark } from '../script.ts'

/** Ways to misbehave, so that the checker is seen to find each. */
export const breakages = ['drop', 'double', 'swap', 'foreign', 'damage', 'hang', 'leak', 'reject'] as const
export type Breakage = (typeof breakages)[number]

export interface Outgoing {
  readonly method?: string
  readonly params?: { readonly mark?: Mark }
  readonly result?: { readonly mark?: Mark }
}

type Send = (message: Outgoing) => Promise<void>

/** One message in so many is broken. */
const every = 7

/** Stands between the tools and the endpoint, and breaks what they send in one way. */
export class Breaker {
  kind: Breakage | undefined
  #count = 0
  /** Events held back until the next one of their series. */
  readonly #held = new Map<string, () => Promise<void>>()
  #last: Outgoing | undefined
  readonly #leaked: unknown[] = []

  /** Sends a message, once and as it is unless something is to be broken. */
  async pass(message: Outgoing, send: Send): Promise<void> {
    const mark = message.params?.mark
    if (this.kind !== undefined && mark?.n !== undefined) return this.#event(message, mark, send)
    if (this.kind !== undefined && message.result?.mark !== undefined) return this.#answer(message, send)
    return send(message)
  }

  async #event(message: Outgoing, mark: Mark, send: Send): Promise<void> {
    const key = `${mark.session} ${mark.series}`
    const before = this.#held.get(key)
    const last = this.#last
    this.#last = message
    this.#held.delete(key)
    if (before) await send(message).then(before)
    else if (this.#isDue()) await this.#break(message, send, { key, mark, last })
    else await send(message)
  }

  async #break(
    message: Outgoing,
    send: Send,
    at: { key: string; mark: Mark; last: Outgoing | undefined },
  ): Promise<void> {
    const { mark } = at
    if (this.kind === 'swap') this.#held.set(at.key, () => send(message))
    if (this.kind === 'swap' || this.kind === 'drop') return
    if (this.kind === 'double') await send(message)
    if (this.kind === 'foreign' && at.last && at.last.params?.mark?.session !== mark.session) await send(at.last)
    if (this.kind === 'damage')
      await send({ ...message, params: { ...message.params, mark: { ...mark, filler: '?' } } })
    else await send(message)
  }

  async #answer(message: Outgoing, send: Send): Promise<void> {
    if (this.kind === 'leak') this.#leaked.push(new Array(20_000).fill(0))
    if (this.kind === 'reject' && this.#isDue()) await Promise.reject(new Error('On purpose'))
    if (this.kind === 'hang' && this.#isDue()) return
    await send(message)
  }

  #isDue(): boolean {
    return ++this.#count % every === 0
  }
}
