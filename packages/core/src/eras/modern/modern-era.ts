import type { Attendance } from '../../attendance/attendance.ts'
import { Servers } from '../../call/build-server.ts'
import { isBatch } from '../../call/dispatch.ts'
import type { Posted } from '../../call/exchange.ts'
import { drainingRejection, Rejection } from '../../http/errors.ts'
import { jsonHeaders } from '../../http/headers.ts'
import type { HttpReply, HttpRequest } from '../../http/http.ts'
import { type Incoming, readMessage } from '../../http/read-message.ts'
import { refusing, toStreamReply } from '../../http/reply.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { isResponse, type JsonRpcNotification, type JsonRpcRequest } from '../../rpc/json-rpc.ts'
import { createEntry, type ModernHandler, type ModernSdk, Sdks } from '../../rpc/sdk.ts'
import type { SessionActivity } from '../../session/session-activity.ts'
import { expiryOf } from '../../stream/expiry.ts'
import type { Counts, Era } from '../era.ts'
import type { StatelessEraOptions } from '../stateless/stateless-era.ts'
import { Visits } from '../stateless/visits.ts'
import { toEntryRejection } from './entry-refusal.ts'
import { readOpening, withFewerUris } from './opening.ts'
import { Passage } from './passage.ts'
import { Places, type PlacesOptions } from './places.ts'
import { Subscription } from './subscription.ts'
import { Subscriptions } from './subscriptions.ts'

export type ModernEraOptions = StatelessEraOptions & PlacesOptions

/** 2026-07-28 has no batches, and no responses from clients. */
type Message = JsonRpcRequest | JsonRpcNotification

type Listening = Pick<Posted, 'request' | 'acceptable'>

/**
 * 2026-07-28: each request for itself. The protocol is the SDK's: see {@link Passage}. What comes before and after it is
 * ours, and so are the streams of `subscriptions/listen`.
 */
export class ModernEra implements Era {
  readonly methods = ['POST']
  readonly #options: ModernEraOptions
  readonly #attendance: Attendance
  readonly #servers: Servers
  readonly #visits: Visits
  readonly #sdks = new Sdks()
  readonly #requests: Places
  readonly #listeners: Places
  readonly #subscriptions = new Subscriptions()
  #entry: { readonly sdk: ModernSdk; readonly handler: ModernHandler } | undefined
  /** Of an entry, newest. */
  #entryError: unknown

  constructor(options: ModernEraOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
    this.#servers = new Servers(options, attendance)
    this.#visits = new Visits(options, attendance)
    this.#requests = new Places(options)
    this.#listeners = new Places(options)
  }

  /** The factory is known to build no server object that speaks this revision. */
  get isUnserved(): boolean {
    return this.#sdks.isNone
  }

  async answer(request: HttpRequest, head: RequestHead, given?: Incoming): Promise<HttpReply> {
    const incoming = given ?? (await readMessage(request, this.#options))
    const reply = await this.answerIfServed(request, head, incoming)
    if (reply) return reply
    const unserved = new Rejection('internal_error', { cause: new Error(noSdk), source: 'factory' })
    throw refusing(incoming, unserved, request, this.#options)
  }

  /** `undefined`: the factory builds no server object that speaks this revision. */
  async answerIfServed(request: HttpRequest, head: RequestHead, incoming: Incoming): Promise<HttpReply | undefined> {
    try {
      if (isBatch(incoming)) throw new Rejection('batch_not_supported')
      if (isResponse(incoming)) throw new Rejection('unexpected_response')
      if (this.#attendance.draining) throw drainingRejection()
      return await this.#pass(incoming, request, head)
    } catch (error) {
      throw refusing(incoming, error, request, this.#options)
    }
  }

  notify(notification: JsonRpcNotification, sessionKey?: string): void {
    if (sessionKey === undefined) this.#subscriptions.notify(notification)
  }

  /** There is none. */
  sessionEnded(): void {
    return
  }

  missed(): void {
    this.#subscriptions.makeUp()
  }

  async drain(drainMs: number): Promise<void> {
    await this.#visits.drain(drainMs)
  }

  sayFarewell(): void {
    this.#subscriptions.complete()
  }

  async close(reason: string): Promise<void> {
    await Promise.all([this.#visits.close(reason), this.#entry?.handler.close()])
  }

  counts(): Counts {
    return { sessions: 0, streams: this.#subscriptions.size, calls: this.#visits.countCalls(), questions: 0 }
  }

  /** There are none. */
  activities(): ReadonlyMap<string, SessionActivity> {
    return new Map()
  }

  /** There are no sessions to have any. */
  streams(): undefined {
    return undefined
  }

  /** A server object that is not of one copy of the SDK may be of another. */
  async #pass(message: Message, request: HttpRequest, head: RequestHead): Promise<HttpReply | undefined> {
    const sdk = await this.#sdks.current()
    if (!sdk) return undefined
    const listen = 'id' in message && message.method === 'subscriptions/listen' ? withFewerUris(message) : undefined
    const place = (listen ? this.#listeners : this.#requests).take(request.auth)
    const posted = { request, acceptable: head.acceptable }
    const passage = new Passage(listen ?? message, posted, { place, sdk, servers: this.#servers, visits: this.#visits })
    try {
      return await (listen ? this.#listen(listen, passage, posted) : this.#call(passage, sdk))
    } catch (error) {
      if (passage.isNative !== false) throw error
    } finally {
      if (passage.isNative) this.#sdks.confirm(sdk)
      if (!place.isKept) place.leave()
    }
    return this.#sdks.dismiss(sdk) ? this.#pass(message, request, head) : undefined
  }

  async #call(passage: Passage, sdk: ModernSdk): Promise<HttpReply> {
    if (this.#entry?.sdk !== sdk) this.#entry = { sdk, handler: this.#createEntry(sdk) }
    const response = await passage.through(this.#entry.handler)
    return passage.reply ?? this.#refuse(response, passage)
  }

  /** The entry opens a subscription and closes it at once: so it shows how ours has to begin and to end. */
  async #listen({ id }: JsonRpcRequest, passage: Passage, { request, acceptable }: Listening): Promise<HttpReply> {
    if (!acceptable.eventStream) throw new Rejection('not_acceptable')
    const entry = this.#createEntry(passage.parts.sdk)
    const response = await passage.through(entry)
    await entry.close()
    const opening = await readOpening(response)
    if (!opening) return this.#refuse(response, passage)
    if (this.#attendance.draining) throw drainingRejection()
    const { place } = passage.parts
    place.isKept = true
    const subscription = new Subscription({
      ...opening,
      requestId: id,
      expiresAt: expiryOf(request.auth),
      attendance: this.#attendance,
      leave: () => {
        place.leave()
        this.#subscriptions.remove(subscription)
      },
    })
    this.#subscriptions.add(subscription)
    // The server object announces none of what was asked for.
    if (Object.keys(opening.filter).length === 0) subscription.complete()
    return toStreamReply(subscription)
  }

  #createEntry(sdk: ModernSdk): ModernHandler {
    return createEntry<Passage>(
      sdk,
      (passage) => passage.build(),
      (error) => {
        this.#entryError = error
      },
    )
  }

  /**
   * What the entry answers by itself. It may not have had a server object built for that, and what it says is only for
   * clients of a server that speaks this revision.
   * @throws Rejection where it is an HTTP error
   */
  async #refuse(response: Response, passage: Passage): Promise<HttpReply> {
    if (passage.isNative === undefined && !this.#sdks.isConfirmed) await passage.probe()
    const { status } = response
    if (status >= 500) this.#options.onError(this.#entryError, 'server')
    const headers = { ...jsonHeaders, ...Object.fromEntries(response.headers) }
    const reply = { status, headers, body: await response.text() }
    if (status >= 400) throw toEntryRejection(reply)
    return reply
  }
}

const noSdk =
  "Expected `server` to build a server object of @modelcontextprotocol/server 2.x, which alone speaks revision 2026-07-28: set `eras: ['2025']` to serve those of another SDK"
