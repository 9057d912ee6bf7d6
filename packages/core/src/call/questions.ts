import type { QuestionMessage } from '../diagnostics/messages.ts'
import {
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  rpcCode,
  toErrorMessage,
} from '../rpc/json-rpc.ts'
import { finishQuestion, withTraceContext } from './question-trace.ts'

/** Questions of one session that may wait for an answer at the same time. Each is kept until then. */
const maxOpen = 1_000

/** Of a session that was never asked: empty maps would be a sixth of what it weighs. Nothing is put in here. */
const none = new Map<never, never>()

interface Question<Asker> {
  /** The id the server object gave it. */
  readonly innerId: RequestId
  /** The call that asks; `undefined` for a question that belongs to no call. */
  readonly asker: Asker | undefined
  /** The event that carries it need not be kept any more. */
  settle: (() => void) | undefined
  /** `undefined` while nobody observes questions. */
  readonly trace: QuestionMessage | undefined
}

/** A request that may be put to the client, and for whom. */
export interface QuestionParts<Asker> {
  readonly request: JsonRpcRequest
  readonly asker: Asker | undefined
  readonly trace: QuestionMessage | undefined
}

/**
 * Requests that the server put to the client and that wait for an answer. Each carries an id of its own, unique in the
 * session: server objects count from 0, each anew, so their ids could meet another's answers.
 */
export class Questions<Asker> {
  readonly #term: number
  #open: Map<string, Question<Asker>> = none
  /** Ids as the client knows them, by the server object's own. */
  #byInnerId: Map<RequestId, string> = none
  #byAsker: Map<Asker, Set<string>> = none
  #count = 0

  constructor(term: number) {
    this.#term = term
  }

  get size(): number {
    return this.#open.size
  }

  get isFull(): boolean {
    return this.#open.size >= maxOpen
  }

  /** Sends a request, as JSON text, to the client. `send` gives what to call when it needs no answer any more. */
  ask({ request, asker, trace }: QuestionParts<Asker>, send: (text: string) => (() => void) | undefined): void {
    const id = `s${this.#term}-${this.#count + 1}`
    // It throws where params have no JSON: then nothing was asked.
    const text = JSON.stringify({ ...withTraceContext(request, trace), id })
    if (trace) trace.requestId = id
    const question: Question<Asker> = { innerId: request.id, asker, settle: undefined, trace }
    if (this.#count === 0) this.#make()
    this.#count++
    this.#open.set(id, question)
    this.#byInnerId.set(request.id, id)
    if (asker) this.#byAsker.set(asker, (this.#byAsker.get(asker) ?? new Set()).add(id))
    question.settle = send(text)
  }

  #make(): void {
    this.#open = new Map()
    this.#byInnerId = new Map()
    this.#byAsker = new Map()
  }

  /** The response as the server object knows it; `undefined` when nothing waits for it any more. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const question = typeof response.id === 'string' ? this.#settle(response.id) : undefined
    if (!question) return undefined
    if ('error' in response) finishQuestion(question.trace, 'error', response.error)
    else finishQuestion(question.trace, 'result')
    return { ...response, id: question.innerId }
  }

  /** Whether a question with this id was ever put: an answer to it may come late, or twice. */
  hasAsked(requestId: RequestId | undefined): boolean {
    const parts = /^s([1-9]\d{0,15})-([1-9]\d{0,15})$/.exec(String(requestId))
    if (!parts) return false
    const term = Number(parts[1])
    return term < this.#term || (term === this.#term && Number(parts[2]) <= this.#count)
  }

  /** The server object gives a question up: `notifications/cancelled` with the id the client knows. */
  cancel(notification: JsonRpcNotification): JsonRpcNotification | undefined {
    const id = this.#byInnerId.get(notification.params?.requestId as RequestId)
    if (id === undefined) return undefined
    finishQuestion(this.#settle(id)?.trace, 'cancelled')
    return { ...notification, params: { ...notification.params, requestId: id } }
  }

  /** The question that the server object gave this id does not reach the client after all. `undefined`: it is over. */
  withhold(innerId: RequestId): { readonly trace: QuestionMessage | undefined } | undefined {
    const id = this.#byInnerId.get(innerId)
    return id === undefined ? undefined : this.#settle(id)
  }

  /** No answer is waited for any more. */
  end(): void {
    for (const { trace } of this.#open.values()) finishQuestion(trace, 'abandoned')
    this.#open = none
    this.#byInnerId = none
    this.#byAsker = none
  }

  /** The asking call is over: what the client hears, and what the server object gets instead of an answer. */
  withdraw(asker: Asker): { toClient: JsonRpcNotification; toServer: JsonRpcMessage }[] {
    const ids = [...(this.#byAsker.get(asker) ?? [])]
    return ids.flatMap((id) => {
      const question = this.#settle(id)
      if (!question) return []
      const toServer = toErrorMessage(rpcCode.refused, 'The call that asked was cancelled', question.innerId)
      finishQuestion(question.trace, 'cancelled', toServer.error)
      return {
        toClient: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } },
        toServer,
      }
    })
  }

  #settle(id: string): Question<Asker> | undefined {
    const question = this.#open.get(id)
    if (!question) return undefined
    const { innerId, asker, settle } = question
    this.#open.delete(id)
    settle?.()
    if (this.#byInnerId.get(innerId) === id) this.#byInnerId.delete(innerId)
    const ids = asker && this.#byAsker.get(asker)
    if (ids?.delete(id) && ids.size === 0) this.#byAsker.delete(asker as Asker)
    return question
  }
}
