import { Rejection } from '../http/errors.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { type Incoming, type ReadOptions, readMessage } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { JsonRpcNotification } from '../rpc/json-rpc.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { StreamInfo } from '../stream/stream-info.ts'
import type { Counts, Era } from './era.ts'
import type { ModernEra } from './modern/modern-era.ts'
import { verdictOfHead, verdictOfMessage } from './verdicts.ts'

/** Both eras on one URL. Each request has one verdict, and no way back to the laxer path. */
export class DualEra implements Era {
  readonly methods: readonly string[]
  readonly #sessions: Era
  readonly #modern: ModernEra
  readonly #options: ReadOptions

  constructor(sessions: Era, modern: ModernEra, options: ReadOptions) {
    this.methods = sessions.methods
    this.#sessions = sessions
    this.#modern = modern
    this.#options = options
  }

  answer(request: HttpRequest, head: RequestHead): MaybePromise<HttpReply> {
    // Where the factory cannot serve it there is one era only.
    if (this.#modern.isUnserved) return this.#sessions.answer(request, head)
    const verdict = verdictOfHead(head)
    if (verdict === '2025') return this.#sessions.answer(request, head)
    if (verdict === 'method_not_allowed') throw new Rejection('method_not_allowed', { headers: { allow: 'POST' } })
    return this.#answerByBody(request, head)
  }

  async #answerByBody(request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    const incoming = await readMessage(request, this.#options)
    const reply = await this.#answerModern(request, head, incoming)
    return reply ?? this.#sessions.answer(request, head, incoming)
  }

  async #answerModern(request: HttpRequest, head: RequestHead, incoming: Incoming): Promise<HttpReply | undefined> {
    return verdictOfMessage(head, incoming) === '2026'
      ? this.#modern.answerIfServed(request, head, incoming)
      : undefined
  }

  notify(notification: JsonRpcNotification, sessionKey?: string): void {
    this.#sessions.notify(notification, sessionKey)
    this.#modern.notify(notification, sessionKey)
  }

  sessionEnded(sessionKey: string): void {
    this.#sessions.sessionEnded(sessionKey)
  }

  missed(): void {
    this.#sessions.missed()
    this.#modern.missed()
  }

  async drain(drainMs: number): Promise<void> {
    await Promise.all([this.#sessions.drain(drainMs), this.#modern.drain(drainMs)])
  }

  sayFarewell(): void {
    this.#sessions.sayFarewell()
    this.#modern.sayFarewell()
  }

  async close(reason: string): Promise<void> {
    await Promise.all([this.#sessions.close(reason), this.#modern.close(reason)])
  }

  activities(node: string): MaybePromise<ReadonlyMap<string, SessionActivity>> {
    return this.#sessions.activities(node)
  }

  streams(node: string, sessionKey: string): MaybePromise<readonly StreamInfo[] | undefined> {
    return this.#sessions.streams(node, sessionKey)
  }

  counts(): Counts {
    const [one, other] = [this.#sessions.counts(), this.#modern.counts()]
    return {
      sessions: one.sessions,
      streams: one.streams + other.streams,
      calls: one.calls + other.calls,
      questions: one.questions,
    }
  }
}
