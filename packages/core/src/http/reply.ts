import { StoreError } from '../backplane/guarded-backplane.ts'
import { toErrorMessage } from '../rpc/json-rpc.ts'
import { Rejection, refusals, storeRejection } from './errors.ts'
import { emptyHeaders, eventStreamHeaders, jsonHeaders } from './headers.ts'
import type { EventStreamBody, HttpReply, HttpRequest, Mountable } from './http.ts'
import type { Incoming } from './read-message.ts'

/** Accepted notifications and responses: 202 and no body (Sending Messages 4). */
export const accepted: HttpReply = { status: 202, headers: emptyHeaders, body: undefined }

/** Nobody reads it: the client left before it was sent anything. It lets the bridge go on. */
export const clientLeft: HttpReply = { status: 400, headers: emptyHeaders, body: undefined }

/** The session has ended. */
export const ended: HttpReply = { status: 204, headers: emptyHeaders, body: undefined }

/**
 * The client has the whole stream. To event streams 204 says "do not come back" (WHATWG HTML §9.2.3); after an empty
 * stream clients would ask again for ever.
 */
export const nothingLeft: HttpReply = { status: 204, headers: emptyHeaders, body: undefined }

export function toJsonReply(body: string, headers?: Record<string, string>): HttpReply {
  return { status: 200, headers: headers ? { ...jsonHeaders, ...headers } : jsonHeaders, body }
}

export function toStreamReply(body: EventStreamBody, headers?: Record<string, string>): HttpReply {
  return { status: 200, headers: headers ? { ...eventStreamHeaders, ...headers } : eventStreamHeaders, body }
}

/** The one place where a refusal becomes a reply. */
export function toErrorReply(rejection: Rejection): HttpReply {
  const { status, code } = refusals[rejection.refusal]
  const body = JSON.stringify(toErrorMessage(code, rejection.message, rejection.requestId))
  return { status, headers: { ...jsonHeaders, ...rejection.headers }, body }
}

/** Reports a fault of ours, or of the user's code. */
export interface Faults {
  readonly onError: (error: unknown, where: 'request' | 'auth') => void
}

/** What is not a refusal is a fault: it is reported, and refused without its details. So is what is behind a refusal. */
export function toRejection(
  error: unknown,
  request: HttpRequest,
  { onError }: Faults,
  where: 'request' | 'auth' = 'request',
): Rejection {
  const isFault = !(error instanceof Rejection)
  const rejection = isFault ? toFault(error) : error
  // Code that is not ours may throw anything, `undefined` too.
  const cause = isFault ? error : rejection.cause
  if (!isFault && cause === undefined) return rejection
  // It passes here once more on its way out.
  rejection.cause = undefined
  try {
    request.onError?.(cause, refusals[rejection.refusal].status)
  } catch {
    // It is reported all the same, and the request still wants its answer.
  }
  onError(cause, where)
  return rejection
}

function toFault(error: unknown): Rejection {
  return error instanceof StoreError ? storeRejection() : new Rejection('internal_error')
}

/** The reply to an error around an endpoint, which is reported. */
export function toFaultReply({ report }: Mountable, error: unknown): HttpReply {
  if (report) report(error)
  else console.error(error)
  return toErrorReply(new Rejection('internal_error'))
}

/** The refusal of a POST whose body was read. That of a single request carries its id (Error Responses). */
export function refusing(incoming: Incoming, error: unknown, request: HttpRequest, faults: Faults): Rejection {
  const rejection = toRejection(error, request, faults)
  if ('method' in incoming && 'id' in incoming) rejection.requestId ??= incoming.id
  return rejection
}
