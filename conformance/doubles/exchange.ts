import type { ServerResponse } from 'node:http'
import type { Accepted } from './guard.ts'
import type { Session } from './session.ts'
import type { Stream } from './stream.ts'
import { errorMessage, isSince, type Message, type RequestId, type Settings, writeJson } from './wire.ts'

/** One JSON-RPC request that is being answered. */
export interface Call {
  readonly id: RequestId
  readonly method: string
  readonly session: Session
  readonly exchange: Exchange
  readonly progressToken: RequestId | undefined
  readonly signal: AbortSignal
  cancel(by: 'client' | 'session'): void
}

/**
 * The answer to one POST that carries requests. Plain JSON when everything is answered before anything else was sent
 * and soon enough; otherwise an event stream.
 */
export class Exchange {
  readonly #session: Session
  readonly #settings: Settings
  readonly #response: ServerResponse
  readonly #accepted: Accepted
  readonly #isBatch: boolean
  readonly #open = new Set<RequestId>()
  readonly #answers: Message[] = []
  #stream: Stream | undefined
  #timer: NodeJS.Timeout | undefined
  #isLingering = false

  constructor(
    session: Session,
    response: ServerResponse,
    options: { accepted: Accepted; isBatch: boolean; ids: readonly RequestId[] },
    settings: Settings,
  ) {
    this.#session = session
    this.#response = response
    this.#accepted = options.accepted
    this.#isBatch = options.isBatch
    this.#settings = settings
    for (const id of options.ids) this.#open.add(id)
    if (!this.#mayStream) return
    if (!this.#accepted.json) this.#upgrade(false)
    else this.#timer = setTimeout(() => this.#upgrade(false), settings.upgradeAfterMs)
  }

  get #mayStream(): boolean {
    return this.#accepted.sse
  }

  /** Whether a request of the server can reach the client here. */
  get canAsk(): boolean {
    return this.#mayStream || this.#settings.defects.has('json-answers-ask-in-vain')
  }

  get isStreaming(): boolean {
    return this.#stream !== undefined
  }

  /** A notification or request that belongs to these calls. Where the answer is plain JSON there is no place for it. */
  send(message: Message): void {
    if ((this.#open.size === 0 && !this.#isLingering) || !this.#mayStream) return
    if (!this.#isMisrouted(message)) this.#deliver(message)
  }

  answer(message: Message): void {
    const { defects } = this.#settings
    if (message.id === undefined || !this.#open.delete(message.id)) return
    const answer = withId(message, defects, this.#session.version)
    const isLast = this.#open.size === 0
    const rival = defects.has('busy-session-mixes-responses') ? this.#busiest : undefined
    if (this.#stream && rival) {
      rival.#deliver(answer)
      this.#stream.end()
    } else if (this.#stream) this.#answerOnStream(this.#stream, answer, isLast)
    else this.#answers.push(answer)
    const isMisplaced = answer.error !== undefined && defects.has('errors-copied-to-get')
    if (isMisplaced || defects.has('responses-copied-to-get')) this.#session.standalone.copy(answer)
    if (isLast) this.#finish()
  }

  /** A cancelled request gets no response (Cancellation, Behavior 4); the exchange ends all the same. */
  withdraw(id: RequestId): void {
    const { defects } = this.#settings
    if (defects.has('cancelled-call-is-answered')) return this.answer(errorMessage(-32800, 'Cancelled', id))
    if (!this.#open.delete(id) || this.#open.size > 0) return
    if (this.#mayStream) {
      this.#upgrade()
      if (this.#stream?.isConnected === false) this.#session.lost = this.#stream
      if (!defects.has('cancelled-stream-stays-open')) this.#stream?.end()
    } else if (defects.has('cancelled-json-answer-hangs')) {
      return
    } else if (this.#answers.length === 0) {
      this.#answers.push(errorMessage(-32800, 'Cancelled', id))
    }
    this.#finish()
  }

  /** Ends the connection before the answer is there. Clients come back by themselves only since 2025-11-25. */
  disconnect({ id }: Call): void {
    const { defects } = this.#settings
    const isAllowed = isSince(this.#session.version, '2025-11-25') || defects.has('older-streams-closed-early')
    if (!isAllowed || !this.#mayStream || this.#open.size === 0) return
    if (!id && defects.has('falsy-ids-are-not-closed')) return
    this.#upgrade()
    this.#stream?.disconnect()
  }

  /** Refuses the only request. */
  refuse(status: number, id: RequestId): void {
    clearTimeout(this.#timer)
    this.#open.clear()
    writeJson(this.#response, status, errorMessage(-32000, 'Refused', id))
  }

  /** Answers what has no id. Only a double does that. */
  answerNobody(): void {
    this.#answers.push(errorMessage(-32600, 'No id'))
  }

  /** Calls `listener` when the client leaves before the answer is complete. */
  onGone(listener: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener()
    })
  }

  async drained(): Promise<void> {
    await this.#stream?.drained()
  }

  /** One stream, and the call's own (Sending Messages 6, Multiple Connections 2). */
  #isMisrouted(message: Message): boolean {
    const { defects } = this.#settings
    const { standalone, calls } = this.#session
    const isRequest = message.id !== undefined
    const isProgress = message.method === 'notifications/progress'
    if (isProgress && this.#session.lost && defects.has('lost-call-takes-what-follows')) {
      this.#upgrade()
      this.#session.lost.append(message)
      return true
    }
    if (isProgress && standalone.isConnected) {
      if (defects.has('progress-copied-to-get')) standalone.copy(message)
      if (defects.has('progress-sent-on-get')) {
        this.#upgrade()
        standalone.append(message)
        return true
      }
      if (defects.has('third-stream-starves-beside-get') && this.#rank >= 2) return true
    }
    if (isRequest && standalone.isConnected) {
      if (defects.has('questions-copied-to-get')) setTimeout(() => standalone.copy(message), 20)
      if (defects.has('questions-sent-on-get')) {
        standalone.append(message)
        return true
      }
    }
    const [first] = calls
    if (defects.has('busy-session-mixes-streams') && calls.size > 15 && first && first.exchange !== this) {
      first.exchange.send(message)
      return true
    }
    const twin = defects.has('progress-crosses-sessions') ? this.#session.twinOf(this) : undefined
    if (twin !== undefined) twin.#deliver(message)
    return twin !== undefined
  }

  /** Another one of a session with many calls; only a double takes it for its own. */
  get #busiest(): Exchange | undefined {
    const { calls } = this.#session
    return calls.size > 15
      ? [...calls].find(({ exchange }) => exchange !== this && exchange.isStreaming)?.exchange
      : undefined
  }

  /** Which of the session's exchanges it is. */
  get #rank(): number {
    return [...new Set([...this.#session.calls].map(({ exchange }) => exchange))].indexOf(this)
  }

  #deliver(message: Message): void {
    this.#upgrade()
    this.#stream?.append(message)
  }

  #upgrade(hasOutput = true): void {
    clearTimeout(this.#timer)
    if (this.#stream) return
    this.#stream = this.#session.openStream()
    this.#stream.attach(this.#response, { isGet: false, hasOutput: hasOutput || this.#answers.length > 0 })
    for (const answer of this.#answers) this.#stream.append(answer)
    const isCutShort = this.#isBatch && this.#settings.defects.has('batch-stream-ends-after-the-first')
    if (isCutShort && this.#answers.length > 0) this.#stream.end()
  }

  #answerOnStream(stream: Stream, answer: Message, isLast: boolean): void {
    const { defects } = this.#settings
    if (isLast && defects.has('log-follows-the-response')) {
      stream.append(answer)
      return stream.append(
        { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: '' } },
        true,
      )
    }
    if (!isLast || !defects.has('late-progress-is-sent')) return stream.append(answer, isLast)
    stream.append(answer)
    this.#isLingering = true
    setTimeout(() => stream.end(), 150)
  }

  #finish(): void {
    const { defects } = this.#settings
    clearTimeout(this.#timer)
    if (this.#stream) return
    const [only] = this.#answers
    const isUnknown = only?.error?.code === -32601 && !this.#isBatch
    if (this.#isBatch) {
      const areResults = this.#answers.every(({ result }) => result)
      const isCut = areResults && this.#answers.length === 2 && defects.has('batch-of-two-loses-one')
      writeJson(this.#response, 200, isCut ? [only] : this.#answers)
    } else if (isUnknown && defects.has('unknown-method-answered-twice')) {
      writeJson(this.#response, 200, [only, only])
    } else {
      const status = isUnknown && defects.has('unknown-method-is-404') ? 404 : 200
      writeJson(this.#response, status, defects.has('answer-is-an-array') ? [only] : only)
    }
  }
}

/** The id in value and type as the request had it. */
function withId(message: Message, defects: Settings['defects'], version: string): Message {
  const { id, ...rest } = message
  if (typeof id === 'number' && defects.has('ids-cut-to-32-bits')) return { ...rest, id: id | 0 }
  if (message.error?.code === -32602 && defects.has('invalid-params-lose-the-id')) return rest
  if (message.error && version === '2025-06-18' && defects.has('older-errors-have-no-id')) return rest
  return message
}
