import {
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  rpcCode,
  toErrorMessage,
} from '../rpc/json-rpc.ts'

interface Question<Asker> {
  /** The id the server object gave it. */
  readonly innerId: RequestId
  /** The call that asks; `undefined` when nothing the client sent caused the question. */
  readonly asker: Asker | undefined
}

/**
 * Requests that the server put to the client and that wait for an answer. Each carries an id of its own, unique in the
 * session: server objects count from 0, each anew, so their ids could meet another's answers.
 */
export class Questions<Asker> {
  readonly #term: number
  readonly #open = new Map<string, Question<Asker>>()
  #count = 0

  constructor(term: number) {
    this.#term = term
  }

  get size(): number {
    return this.#open.size
  }

  /** The request as the client gets it. */
  ask(request: JsonRpcRequest, asker: Asker | undefined): JsonRpcRequest {
    const id = `s${this.#term}-${++this.#count}`
    this.#open.set(id, { innerId: request.id, asker })
    return { ...request, id }
  }

  /** The response as the server object knows it; `undefined` when nobody waits for it any more. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const question = this.#open.get(String(response.id))
    if (!question || typeof response.id !== 'string') return undefined
    this.#open.delete(response.id)
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
    for (const [id, { innerId }] of this.#open) {
      if (innerId !== notification.params?.requestId) continue
      this.#open.delete(id)
      return { ...notification, params: { ...notification.params, requestId: id } }
    }
    return undefined
  }

  /** The asking call is over: what the client is told, and what the server object gets instead of an answer. */
  withdraw(asker: Asker): { toClient: JsonRpcNotification; toServer: JsonRpcMessage }[] {
    const withdrawn: { toClient: JsonRpcNotification; toServer: JsonRpcMessage }[] = []
    for (const [id, question] of this.#open) {
      if (question.asker !== asker) continue
      this.#open.delete(id)
      withdrawn.push({
        toClient: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } },
        toServer: toErrorMessage(rpcCode.refused, 'The call that asked was cancelled', question.innerId),
      })
    }
    return withdrawn
  }
}
