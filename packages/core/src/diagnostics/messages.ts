import type { RefusalCode } from '../http/errors.ts'
import type { TraceContext } from '../http/trace-context.ts'
import type { JsonRpcResponse, RequestId } from '../rpc/json-rpc.ts'

/** What the messages of all channels have: see `docs/diagnostics.md`. None has a session id, a token or a header. */
export interface DiagnosticMessage {
  /** Of the form of the messages. A member may be added under the same number; one that changes or goes raises it. */
  readonly version: 1
  /** The endpoint it is about, to be compared with. */
  readonly endpoint: object
}

/**
 * Tells of something that takes time. The same object goes to `start`, `end`, `error`, `asyncStart` and `asyncEnd`, and
 * knows more at the end. Subscribers may hang symbols of their own on it.
 */
export interface TracedMessage extends DiagnosticMessage {
  /** When it began, in milliseconds of `performance.now()`. */
  readonly startedAt: number
  /** How long it took, in milliseconds. There at `asyncStart` and `asyncEnd`. */
  durationMs?: number | undefined
  /** There at `error`. */
  error?: unknown
  /**
   * A subscriber to `start` may set it, to run the work inside of a context of its own: it must call `work` once, before
   * it returns. What is there already belongs to another subscriber, who has to be called as well.
   */
  within?: ((work: () => void) => void) | undefined
}

/** `throughline.request`: an HTTP request, from the bridge to the reply's head. The `error` of a refused one is it. */
export interface RequestMessage extends TracedMessage {
  readonly httpMethod: string
  /** Without the query. */
  readonly path: string
  readonly clientAddress: string | undefined
  readonly clientPort: number | undefined
  /** `1.1`, `2.0`; `undefined` where the platform does not tell. */
  readonly httpVersion: string | undefined
  status?: number | undefined
  /** What the reply carries. */
  body?: 'json' | 'stream' | 'none' | undefined
  /** Why it was refused. */
  refusal?: RefusalCode | undefined
}

/** `throughline.session`: a session's life on this node, from where it can be found here to where it no longer can. */
export interface SessionMessage extends TracedMessage {
  readonly sessionKey: string
  /** Who is behind its access token; `null` without authentication. */
  readonly principal: string | null
  readonly protocolVersion: string
  /** `clientInfo` of `initialize`, as the client wrote it. */
  readonly clientInfo: unknown
  readonly clientAddress: string | undefined
  /** 1 where it was opened; more where it was taken over or has hibernated. */
  readonly term: number
  /** Why it left this node. */
  reason?: string
  /** It is over. `false`: it may live on, here or on another node. */
  ended?: boolean
}

/** `throughline.call`: a request or notification of a client, from your server object's `onmessage` to the answer. */
export interface CallMessage extends TracedMessage {
  /** `undefined` without sessions, and for requests of 2026-07-28. */
  readonly sessionKey: string | undefined
  readonly protocolVersion: string
  readonly method: string
  /** The client's; `undefined` for a notification, which ends as soon as it was handed on. */
  readonly requestId: RequestId | undefined
  /** The client's own object: arguments of a tool are in it. Must not be changed. */
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly clientAddress: string | undefined
  readonly clientPort: number | undefined
  readonly httpVersion: string | undefined
  /** It came to another node, which has forwarded it. */
  readonly isForwarded: boolean
  /** What a subscriber there has set on the {@link ForwardMessage}. */
  readonly traceContext: TraceContext | undefined
  /**
   * `abandoned`: nobody was there to read the answer, or its session ended. There at `asyncEnd`, as is `error` for
   * `error` and `abandoned`: the JSON-RPC error.
   */
  outcome?: 'result' | 'error' | 'cancelled' | 'abandoned' | undefined
  /** The server object's own object, with an id that is not the client's. Must not be changed. */
  response?: JsonRpcResponse | undefined
}

/**
 * `throughline.question`: a request that your server object puts to the client (`sampling/createMessage`,
 * `elicitation/create`, `roots/list`, `ping`), until its answer.
 */
export interface QuestionMessage extends TracedMessage {
  /** `undefined` without sessions. */
  readonly sessionKey: string | undefined
  readonly protocolVersion: string
  readonly method: string
  /** The server object's own object. Must not be changed. */
  readonly params: Readonly<Record<string, unknown>> | undefined
  /** The client's id of the call that it is asked for; `undefined` where it is asked for none. */
  readonly callId: RequestId | undefined
  /**
   * A subscriber to `start` may set it: the client has it then in `params._meta`, unless something is there already. What
   * is no {@link TraceContext} is not sent.
   */
  traceContext?: TraceContext | undefined
  /** Its id, as the client knows it; `undefined` where it was not sent. */
  requestId?: RequestId | undefined
  /**
   * `refused`: no stream reaches the client, or too many questions wait. `cancelled`: the server object gave it up, which
   * it does when its time is over, or the call that asked was cancelled. `abandoned`: the session left this node. There at
   * `asyncEnd`, as is `error` where the server object gets a JSON-RPC error.
   */
  outcome?: 'result' | 'error' | 'refused' | 'cancelled' | 'abandoned' | undefined
}

/** `throughline.stream`: a connection that reads a stream, or a subscription's, from its opening to its last byte. */
export interface StreamMessage extends TracedMessage {
  /** `undefined` without sessions, and for requests of 2026-07-28. */
  readonly sessionKey: string | undefined
  readonly kind: 'call' | 'standalone' | 'subscription'
  /** Names the stream in its session, and in its event ids. A subscription has none. */
  readonly streamTag: string | undefined
  /** Whose answers it carries. */
  readonly requestIds: readonly RequestId[]
  /** Index of the last event that its client had. More than 0: it came back. */
  readonly from: number
  /** Index of the last event that was written. Events of a subscription have none. */
  to?: number | undefined
  /** `ended`: cleanly, by the server. `left`: by the client. `broken`: by the server, since it was old or did not read. */
  outcome?: 'ended' | 'left' | 'broken'
}

/** `throughline.replay`: the look for where a client goes on that comes back with `Last-Event-ID`. */
export interface ReplayMessage extends TracedMessage {
  readonly sessionKey: string
  readonly eventId: string
  readonly clientAddress: string | undefined
  readonly isForwarded: boolean
  /** As in {@link CallMessage}. */
  readonly traceContext: TraceContext | undefined
  /** `complete`: the client had everything. `gap`: events after its last one are not kept, and it is told so. */
  outcome?: 'stream' | 'gap' | 'complete'
}

/** `throughline.forward`: a request for a session of another node, from this one's question to the owner's answer. */
export interface ForwardMessage extends TracedMessage {
  readonly sessionKey: string
  readonly httpMethod: string
  /** The node that was asked. */
  readonly owner: string
  /**
   * A subscriber to `start` may set it: messages of the owner about this request have it then. What is no
   * {@link TraceContext} is not sent.
   */
  traceContext?: TraceContext | undefined
  /** `elsewhere`: it does not have the session any more. */
  outcome?: 'answered' | 'elsewhere'
}

/** `throughline.takeover`: this node brings a session to life whose node is gone, or that hibernates. */
export interface TakeoverMessage extends TracedMessage {
  readonly sessionKey: string
  /** The node that had it; empty where none has. */
  readonly from: string
  /** The term that this node asks for. */
  readonly term: number
  /** The request that needs it came to another node. */
  readonly isForwarded: boolean
  /** As in {@link CallMessage}. */
  readonly traceContext: TraceContext | undefined
  /** `missed`: it has ended, or another node was first. */
  outcome?: 'taken' | 'missed'
}

/** `throughline.refusal`, one plain channel: a request that is answered with an error of ours. */
export interface RefusalMessage extends DiagnosticMessage {
  readonly code: RefusalCode
  readonly status: number
  /** What the client is told. */
  readonly message: string
  readonly httpMethod: string
  readonly path: string
  /** The headers of these names, as the client wrote them. */
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly clientAddress: string | undefined
  readonly isForwarded: boolean
  /** The fault behind it; `undefined` where the client is to blame. */
  readonly cause: unknown
}

/** Messages of the tracing channels, by the last part of their names: `tracing:throughline.call:start` has `call`. */
export interface TracedMessages {
  request: RequestMessage
  session: SessionMessage
  call: CallMessage
  question: QuestionMessage
  stream: StreamMessage
  replay: ReplayMessage
  forward: ForwardMessage
  takeover: TakeoverMessage
}
