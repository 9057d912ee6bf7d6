import type { Attendance, Deadlines, OpenConnection } from '../../attendance/attendance.ts'
import { begun, traces } from '../../diagnostics/channels.ts'
import type { StreamMessage } from '../../diagnostics/messages.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../../http/http.ts'
import { now } from '../../promises/clock.ts'
import { createLink, type Link } from '../../queues/linked-list.ts'
import type { RequestId } from '../../rpc/json-rpc.ts'
import { comment, formatEventWithoutId } from '../../stream/sse-format.ts'
import type { Change } from './change.ts'

/** What a client listens to: `notifications` as the server acknowledged them (SubscriptionFilter). */
export interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: readonly string[]
}

export interface SubscriptionParts {
  /** Of the request `subscriptions/listen`: it names the subscription. */
  readonly requestId: RequestId
  readonly filter: Filter
  /** The acknowledgement, and the result that ends the subscription, as JSON. */
  readonly acknowledgement: string
  readonly completion: string
  /** When its token expires, by {@link now}; `Infinity`: never. */
  readonly expiresAt: number
  readonly attendance: Attendance
  readonly leave: (subscription: Subscription) => void
}

/**
 * One `subscriptions/listen` stream. A client that does not read costs what it has not been told of: each change once,
 * however often it happened.
 */
export class Subscription implements EventStreamBody, SinkEvents, OpenConnection {
  readonly queueBytes = 16_384
  readonly filter: Filter
  /** Among all subscriptions. */
  readonly place = createLink<Subscription>(this)
  readonly #parts: SubscriptionParts
  readonly #idText: string
  /** Changes that wait for room, by their keys. */
  #waiting: Map<string, Change> | undefined
  #state: 'unopened' | 'open' | 'ending' | 'closed' = 'unopened'
  #sink: EventSink | undefined
  #connection: Link<OpenConnection> | undefined
  #trace: StreamMessage | undefined
  #hasRoom = false
  #isWriting = false
  #isComplete = false
  #activeAt = now()

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
    this.filter = parts.filter
    this.#idText = JSON.stringify(parts.requestId)
  }

  // ---- EventStreamBody and SinkEvents: what the bridge calls ----

  open(sink: EventSink): SinkEvents {
    const { attendance, acknowledgement } = this.#parts
    this.#sink = sink
    this.#state = 'open'
    this.#connection = attendance.opened(this)
    if (traces.stream.isObserved) this.#trace = traceSubscription(this.#parts)
    this.#hasRoom = true
    // First of all, and nothing before it (Subscriptions, Acknowledgement).
    this.#write(formatEventWithoutId(acknowledgement))
    if (this.#isComplete) this.complete()
    else this.#writeWaiting()
    return this
  }

  drain(): void {
    this.progress()
    // Some sinks ask while they are being written to.
    if (this.#state !== 'open' || this.#isWriting) return
    this.#hasRoom = true
    this.#writeWaiting()
  }

  progress(): void {
    this.#activeAt = now()
  }

  gone(): void {
    this.#close(this.#state === 'ending' ? 'ended' : 'left')
  }

  // ---- OpenConnection: what the attendance calls ----

  tick(time: number, { keepAliveMs, stallMs }: Deadlines): void {
    const silentMs = time - this.#activeAt
    if (this.#state === 'ending' || !this.#hasRoom) {
      if (silentMs >= stallMs || time >= this.#parts.expiresAt + stallMs) this.destroy()
    } else if (time >= this.#parts.expiresAt) {
      // Without a result: its client listens again, with a new token.
      this.#end('')
    } else if (keepAliveMs > 0 && silentMs >= keepAliveMs) this.#write(comment)
  }

  destroy(): void {
    this.#close('broken')
    this.#sink?.destroy()
  }

  // ---- What the subscriptions call ----

  tell(change: Change): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open' && this.#hasRoom) return this.#write(this.#format(change))
    this.#waiting ??= new Map()
    this.#waiting.set(change.key, change)
  }

  /** Ends the stream with its result: the client knows that the server ended it (Subscriptions, Graceful Closure). */
  complete(): void {
    this.#isComplete = true
    if (this.#state !== 'open') return
    const rest = [...(this.#waiting?.values() ?? [])].map((change) => this.#format(change))
    this.#end([...rest, formatEventWithoutId(this.#parts.completion)].join(''))
  }

  #format({ head, tail }: Change): string {
    return formatEventWithoutId(head + this.#idText + tail)
  }

  #writeWaiting(): void {
    for (const [key, change] of this.#waiting ?? []) {
      if (!this.#hasRoom) return
      this.#waiting?.delete(key)
      this.#write(this.#format(change))
    }
    if (this.#hasRoom) this.#waiting = undefined
  }

  #write(text: string): void {
    this.#activeAt = now()
    this.#hasRoom = false
    this.#isWriting = true
    const hasRoom = this.#sink?.write(text) ?? false
    this.#isWriting = false
    // The sink may have said that the client is gone.
    this.#hasRoom = hasRoom && this.#state === 'open'
  }

  #end(text: string): void {
    this.#state = 'ending'
    this.#waiting = undefined
    this.progress()
    this.#sink?.end(text)
  }

  #close(outcome: NonNullable<StreamMessage['outcome']>): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#waiting = undefined
    if (this.#connection) this.#parts.attendance.closed(this.#connection)
    this.#parts.leave(this)
    if (!this.#trace) return
    this.#trace.outcome = outcome
    traces.stream.finish(this.#trace)
  }
}

function traceSubscription({ attendance, requestId }: SubscriptionParts): StreamMessage {
  const trace: StreamMessage = {
    ...begun(attendance.endpoint),
    ...{ sessionKey: undefined, kind: 'subscription', streamTag: undefined, requestIds: [requestId], from: 0 },
  }
  traces.stream.begin(trace)
  return trace
}
