import { type End, Follower } from '../../clients/follower.ts'
import { gentle, type Manners } from '../../clients/manners.ts'
import type { SseEvent } from '../../clients/sse.ts'
import type { Reply } from '../../clients/wire.ts'
import { StreamCheck } from '../check/stream-check.ts'
import type { ChaosClient, Refused } from './chaos-client.ts'

export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly mark?: { readonly nonce?: string } }
  readonly result?: { readonly played?: { readonly asked: readonly string[] } }
  readonly error?: { readonly message: string }
}

/** A stream that its client follows from node to node, and the check of it. */
export class ChaosStream {
  readonly check: StreamCheck
  readonly #client: ChaosClient
  readonly #follower: Follower
  readonly #onMessage: (message: Message, isStored: boolean) => void
  readonly #answered = new Set<string>()

  constructor(client: ChaosClient, name: string, onMessage: (message: Message, isStored: boolean) => void) {
    const { random, world, sessionKey } = client
    const { tally, journal, hungAfterMs, stopped } = world
    const isStandalone = name === 'standalone'
    this.#client = client
    this.#onMessage = onMessage
    this.check = new StreamCheck({ tally, journal, sessionKey, name, client: client.name })
    this.#follower = new Follower({
      ...{ random, stopped, series: this.check, manners: pickManners(client) },
      hungAfterMs: isStandalone ? Infinity : hungAfterMs,
      needsId: !isStandalone,
      resume: (lastEventId) => this.#resume(lastEventId),
      onEvent: (event) => this.#take(event),
      attend: () => () => undefined,
      note: (text) => client.note(`${name}: ${text}`),
      count: (figure) => tally.count(figure),
    })
  }

  follow(first: Reply): Promise<End> {
    return this.#follower.follow(first)
  }

  enough(): void {
    this.#follower.enough()
  }

  async #resume(lastEventId: string): Promise<Reply> {
    const reply = await this.#client.get(lastEventId)
    if (typeof reply !== 'string') return reply
    throw new Error(reply satisfies Refused)
  }

  #take(event: SseEvent): void {
    const isNew = this.check.take(event)
    if (event.data === '' || !isNew) return
    const message = JSON.parse(event.data) as Message
    if (message.method !== undefined && message.id !== undefined) this.#answer(message)
    this.#onMessage(message, event.id !== undefined)
  }

  /** Once, to whichever node. */
  #answer({ id, params }: Message): void {
    if (this.#answered.has(String(id))) return
    this.#answered.add(String(id))
    const result = { action: 'accept', nonce: params?.mark?.nonce }
    void this.#client.tell({ id, result }, `the answer to question ${id}`)
  }
}

function pickManners({ random }: ChaosClient): Manners {
  if (random.chance(0.5)) return gentle
  return { ...gentle, cutMs: random.pick([300, 1_500]), awayMs: random.pick([0, 100, 800]) }
}
