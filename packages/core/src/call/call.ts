import type { Attendance } from '../attendance/attendance.ts'
import type { Activity } from '../attendance/seat.ts'
import type { CallMessage } from '../diagnostics/messages.ts'
import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse, RequestId } from '../rpc/json-rpc.ts'
import type { CallStreams, Exchange, ResponseShape } from './exchange.ts'

/** One JSON-RPC request being answered. */
export interface Call {
  /** The id inside: unique in the session, never falsy. Clients repeat theirs, some send `id: 1` every time. */
  readonly innerId: number
  /** The client's id. */
  readonly requestId: RequestId
  /** `undefined` where the client wants to hear of no progress. */
  readonly progressToken: unknown
  /** `undefined` for a request that is not answered by an exchange: see {@link Calls.request}. */
  readonly exchange: Exchange | undefined
  /** Sees the answer before the client gets it. */
  readonly onAnswer: ((response: JsonRpcResponse) => void) | undefined
  /** `undefined` until the server object gets it, and while nobody observes calls. */
  trace: CallMessage | undefined
}

/** Options of the endpoint that calls go by. */
export interface CallsOptions {
  readonly response: ResponseShape
  readonly upgradeAfterMs: number
  readonly maxCallsPerSession: number
  readonly onError: (error: unknown, where: 'server') => void
}

export interface CallsParts {
  /** `undefined` when served without sessions. */
  readonly sessionId: string | undefined
  readonly sessionKey: string | undefined
  readonly term: number
  readonly streams: CallStreams
  readonly attendance: Attendance
  readonly activity: Activity
  readonly options: CallsOptions
  /**
   * Gives what to do once a message from the client has taken effect: a request when its result is there, a
   * notification at once.
   */
  readonly observe?: (message: JsonRpcRequest | JsonRpcNotification) => (() => void) | undefined
  /** The server object closed its transport. */
  readonly serverClosed: () => void
}
