import { type JsonRpcMessage, type JsonRpcRequest, type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import type { Call } from './call.ts'
import type { CallStreams } from './exchange.ts'
import { Questions } from './questions.ts'

/** Time, in milliseconds, in which a client must listen for a question that no call asks. */
const listenTimeoutMs = 5_000

export interface AskingParts {
  readonly term: number
  readonly streams: CallStreams
  /** Calls by their ids inside. */
  readonly running: ReadonlyMap<number, Call>
  /** Hands a message to the server object. */
  readonly deliver: (message: JsonRpcMessage) => void
}

/**
 * Puts the server object's questions to the client, on a stream that it reads, or refuses them at once: none waits in
 * vain.
 */
export class Asking {
  readonly questions: Questions<Call>
  readonly #parts: AskingParts

  constructor(parts: AskingParts) {
    this.#parts = parts
    this.questions = new Questions(parts.term)
  }

  ask(request: JsonRpcRequest, relatedRequestId: RequestId | undefined, isEnded: boolean): void {
    const { standalone } = this.#parts.streams
    const carrier = this.#carrierOf(relatedRequestId)
    if (isEnded || !carrier || this.questions.isFull) return this.#refuse(request, this.questions.isFull)
    if (carrier !== 'standalone') {
      return this.questions.ask(request, carrier, (text) => carrier.exchange?.ask(text))
    }
    this.questions.ask(request, undefined, (text) => standalone?.ask(text))
    // The client may be about to open its stream.
    if (!standalone?.reader) setTimeout(() => this.#giveUp(request), listenTimeoutMs)
  }

  /**
   * Where a question goes. Most servers do not say which call asks: then it is the one that runs. Where several run, or
   * none, it is the standalone stream, if the client listens there or may yet.
   */
  #carrierOf(relatedRequestId: RequestId | undefined): Call | 'standalone' | undefined {
    const { streams, running } = this.#parts
    if (!streams.standalone) return undefined
    if (relatedRequestId !== undefined) {
      const call = running.get(relatedRequestId as number)
      return call?.exchange?.canCarry ? call : undefined
    }
    const calls = [...running.values()].filter(({ exchange }) => exchange)
    const [only] = calls
    if (only?.exchange?.canCarry && calls.length === 1) return only
    return streams.standalone.reader || calls.length === 0 ? 'standalone' : undefined
  }

  #giveUp(request: JsonRpcRequest): void {
    if (this.#parts.streams.standalone?.reader || !this.questions.isOpen(request.id)) return
    this.questions.cancel({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: request.id } })
    this.#refuse(request, false)
  }

  /** As an answer would: after `send` has returned. */
  #refuse({ id }: JsonRpcRequest, isFull: boolean): void {
    const reason = isFull
      ? 'too many questions wait for its answer'
      : 'no event stream reaches it. Ask with the id of the call (relatedRequestId), or once the client listens'
    const error = toErrorMessage(rpcCode.refused, `The client cannot be asked: ${reason}`, id)
    queueMicrotask(() => this.#parts.deliver(error))
  }
}
