import type { QuestionMessage } from '../diagnostics/messages.ts'
import { unref } from '../promises/unref.ts'
import { type JsonRpcMessage, type JsonRpcRequest, type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import type { Call, CallsParts } from './call.ts'
import { finishQuestion, traceQuestion } from './question-trace.ts'
import { type QuestionParts, Questions } from './questions.ts'

/** Time, in milliseconds, in which a client must listen for a question that no call asks. */
const listenTimeoutMs = 5_000

export interface AskingParts {
  readonly calls: CallsParts
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
    this.questions = new Questions(parts.calls.term)
  }

  ask(request: JsonRpcRequest, relatedRequestId: RequestId | undefined, isEnded: boolean): void {
    const { calls, running } = this.#parts
    const { standalone } = calls.streams
    const carrier = this.#carrierOf(relatedRequestId)
    const asker = typeof carrier === 'object' ? carrier : undefined
    const trace = traceQuestion(calls, request, (asker ?? running.get(relatedRequestId as number))?.requestId)
    if (isEnded || !carrier || this.questions.isFull) return this.#refuse(request, this.questions.isFull, trace)
    this.#put({ request, asker, trace }, (text) => (asker ? asker.exchange?.ask(text) : standalone?.ask(text)))
    if (asker) return
    // The client may be about to open its stream.
    if (!standalone?.reader) unref(setTimeout(() => this.#giveUp(request), listenTimeoutMs))
  }

  #put(question: QuestionParts<Call>, send: (text: string) => (() => void) | undefined): void {
    try {
      this.questions.ask(question, send)
    } catch (error) {
      finishQuestion(question.trace, 'refused', error)
      throw error
    }
  }

  /**
   * Where a question goes. Most servers do not say which call asks: then it is the one that runs. Where several run, or
   * none, it is the standalone stream, if the client listens there or may yet.
   */
  #carrierOf(relatedRequestId: RequestId | undefined): Call | 'standalone' | undefined {
    const { calls: parts, running } = this.#parts
    const { streams } = parts
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
    if (this.#parts.calls.streams.standalone?.reader) return
    const withheld = this.questions.withhold(request.id)
    if (withheld) this.#refuse(request, false, withheld.trace)
  }

  /** As an answer would: after `send` has returned. */
  #refuse({ id }: JsonRpcRequest, isFull: boolean, trace: QuestionMessage | undefined): void {
    const reason = isFull
      ? 'too many questions wait for its answer'
      : 'no event stream reaches it. Ask with the id of the call (relatedRequestId), or once the client listens'
    const error = toErrorMessage(rpcCode.refused, `The client cannot be asked: ${reason}`, id)
    finishQuestion(trace, 'refused', error.error)
    queueMicrotask(() => this.#parts.deliver(error))
  }
}
