import { setTimeout as sleep } from 'node:timers/promises'
import type { Series } from '../check/series.ts'
import { type Mark, toFiller } from '../script.ts'
import type { Message, SessionClient } from './session-client.ts'
import type { SseEvent } from './sse.ts'

/** Longer than what asks here waits. */
export const lateMs = 600

/** Takes the events of one stream: holds each to its number, its session and its bytes, and answers questions. */
export class Inbox {
  readonly #client: SessionClient
  readonly #name: string
  readonly #series: Series
  readonly #answered = new Set<string>()

  constructor(client: SessionClient, name: string, series: Series) {
    this.#client = client
    this.#name = name
    this.#series = series
  }

  /** The message of an event; `undefined` if it only sets the cursor or cannot be read. */
  take({ id, data }: SseEvent): Message | undefined {
    if (data === '') return undefined
    const message = this.#parse(data)
    if (!message) return undefined
    const mark = message.params?.mark ?? message.result?.mark
    if (mark && mark.session !== this.#client.name) {
      this.#client.fault('foreign', `${this.#name}: event ${id} belongs to ${mark.session}`)
      return undefined
    }
    if (mark?.n !== undefined) this.#takeNumbered(mark, mark.n, id)
    else if (id !== undefined) this.#takeOnce(id)
    if (message.method?.endsWith('/list_changed')) this.#told()
    if (message.method !== undefined && message.id !== undefined) this.#answer(message)
    return message
  }

  #parse(data: string): Message | undefined {
    try {
      return JSON.parse(data) as Message
    } catch {
      this.#client.fault('damaged', `${this.#name}: not JSON: ${data.slice(0, 100)}`)
      return undefined
    }
  }

  #takeNumbered({ series, filler, size = 0 }: Mark, n: number, eventId: string | undefined): void {
    const { world } = this.#client
    if (series !== this.#name) {
      this.#client.fault('foreign', `${this.#name}: event ${eventId} belongs to ${series}`)
      return
    }
    const last = this.#series.last
    const disorder = this.#series.take(n)
    if (disorder) this.#client.fault(disorder, `${this.#name}: ${n} after ${last}, event ${eventId}`)
    else if (n !== last + 1) this.#client.note(`${this.#name}: ${n} after ${last}, event ${eventId}`)
    if (filler !== toFiller(size, n)) this.#client.fault('damaged', `${this.#name}: the filler of ${n}`)
    world.ledger.figures.events++
  }

  #takeOnce(eventId: string): void {
    const { seenIds } = this.#client
    if (seenIds.has(eventId)) this.#client.fault('doubled', `${this.#name}: event ${eventId}`)
    seenIds.add(eventId)
  }

  /** The server never says `list_changed` of its own accord: it stands for what is missing. */
  #told(): void {
    this.#series.told()
    this.#client.note(`${this.#name}: told of a gap`)
    this.#client.world.ledger.figures.gaps++
  }

  #answer({ id, params }: Message): void {
    const { answering } = this.#client
    if (answering === 'never' || this.#answered.has(String(id))) return
    this.#answered.add(String(id))
    const answer = { id, result: { nonce: params?.mark?.nonce } }
    void this.#tell(answer, answering === 'late' ? lateMs : 0)
    if (answering === 'twice') void this.#tell(answer, 0)
  }

  async #tell(answer: { readonly id: Message['id'] }, afterMs: number): Promise<void> {
    await sleep(afterMs)
    await this.#client.tell(answer, `the answer to question ${answer.id}`)
  }
}
