import type { AuthInfo } from '../rpc/server.ts'
import type { TraceContext } from './trace-context.ts'

/**
 * One HTTP request as the core sees it. A bridge (`core/node`, `core/web`) builds it from what its platform has.
 */
export interface HttpRequest {
  /** Upper case, as on the wire. */
  readonly method: string
  /** Path and query as on the wire. Informative only: the core routes nothing by it. */
  readonly url: string
  /** All header fields, names in lower case. What a tool sees as `requestInfo.headers`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * One header's value, `undefined` when absent. Repeated lines are joined with `, `, so that a repeated
   * single-value header never passes its grammar. `name` is in lower case.
   */
  header(name: string): string | undefined
  /** How often a header occurs, for those whose repetition the platform hides (`host`, `content-type`). */
  headerCount(name: string): number
  /** The address on which the request arrived; `undefined` where the platform does not tell. */
  readonly localAddress: string | undefined
  /**
   * The address that the request came from, a reverse proxy's where there is one; `undefined` where the platform does
   * not tell. Of anonymous sessions those make room first whose address holds most.
   */
  readonly clientAddress?: string | undefined
  /** The port that it came from, where that is known. */
  readonly clientPort?: number | undefined
  /** `1.1`, `2.0`, where that is known. */
  readonly httpVersion?: string | undefined
  /** Another node has sent it here, where its session lives: no other can serve it, also while this one closes. */
  readonly isForwarded?: boolean
  /** No client has come back: that node goes on with what one that is gone has served. */
  readonly isRecovery?: boolean
  /** What that node's tracer says of it. */
  readonly traceContext?: TraceContext | undefined
  /** Set by the app's authentication middleware; the endpoint's `auth` option, where there is one, replaces it. */
  auth: AuthInfo | undefined
  /** The body as an earlier parser left it, or `undefined` when nobody read it. */
  readonly parsedBody: unknown
  /**
   * Reads the body once, and hands out each chunk as it comes. It fails with what `take` throws; with a Rejection
   * `client_left` when the body ends early, `body_consumed` when something else has read it.
   */
  readBody(sink: BodySink): void
  /** The body takes too long: stops reading it. Its connection serves no further request. */
  stopReading(): void
  /** Calls `listener` once when the client left before the reply was complete: at once, when it has by now. */
  onGone(listener: () => void): void
  /**
   * Gets an error behind the refusal of this request, and the status of that, for the framework's own log. `false`: it
   * is in no log.
   */
  readonly onError?: ((error: unknown, status: number) => unknown) | undefined
}

/** Where the chunks of a body go. Of `end` and `fail` the first call counts, and nothing after it. */
export interface BodySink {
  /** Throws when no more is wanted. */
  take(chunk: Uint8Array): void
  end(): void
  fail(error: unknown): void
}

/** Bridges and adapters mount it: an endpoint, or a document beside it. */
export interface Mountable {
  /** Answers one HTTP request. Never rejects. */
  handle(request: HttpRequest): Promise<HttpReply>
  /** `true` when connections should not be kept for a next request. */
  readonly closing: boolean
  /** Looks after responses from their request on, until all of them is with the network. */
  readonly watch?: ((outgoing: Outgoing) => void) | undefined
  /** Is told of an error around it: of a handler's `context`, of a reply that could not be written. */
  readonly report?: ((error: unknown) => void) | undefined
}

/** What carries a response to its client, whoever writes it: a bridge, or a framework with its own means. */
export interface Outgoing {
  /**
   * Breaks the connection off when its client has read nothing for `stallMs`. `time` is by the clock that only goes
   * forward. `false`: nothing waits any more, look no further.
   */
  look(time: number, stallMs: number): boolean
}

/** Plain data that a bridge writes. */
export interface HttpReply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Text, nothing, or an event stream that writes itself into a sink. */
  readonly body: string | undefined | EventStreamBody
}

/** A body that writes itself. The bridge calls `open` once, after the head was sent or queued. */
export interface EventStreamBody {
  /** Bytes that may wait in the platform's queue before the client counts as behind; by default 256 KiB. */
  readonly queueBytes?: number
  open(sink: EventSink): SinkEvents
}

/** Where an event stream writes to: one connection. */
export interface EventSink {
  /**
   * Writes text. `false`: the client is behind, write no more until {@link SinkEvents.drain}. What has been begun may
   * be written to its end: it waits.
   */
  write(text: string): boolean
  /** Ends the response cleanly, after what was written and after `text`, which may be empty. */
  end(text: string): void
  /** Breaks the connection off at once, also after {@link EventSink.end}, with what its client has not read. */
  destroy(): void
}

/** The bridge calls these. */
export interface SinkEvents {
  /** The client caught up: write on. */
  drain(): void
  /** Part of a large write has gone to the network: the client is slow, but reads. */
  progress(): void
  /** The response is complete, or its connection is closed by either side. */
  gone(): void
}
