import { StoreError } from '../backplane/guarded-backplane.ts'
import { toErrorMessage } from '../rpc/json-rpc.ts'
import type { ErrorSource, Report } from './error-source.ts'
import { isRejection, Rejection, refusals, storeRejection } from './errors.ts'
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
  if (rejection.reply) return rejection.reply
  const { status, code } = refusals[rejection.refusal]
  const body = JSON.stringify(toErrorMessage(code, rejection.message, rejection.requestId))
  return { status, headers: { ...jsonHeaders, ...rejection.headers }, body }
}

/** Reports a fault of ours, or of the user's code. */
export interface Faults {
  readonly onError: Report
}

/**
 * What is not a refusal is a fault: it is reported, and refused without its details. So is what is behind a refusal.
 */
export function toRejection(
  error: unknown,
  request: HttpRequest,
  { onError }: Faults,
  where: ErrorSource = 'request',
): Rejection {
  const rejection = isRejection(error) ? error : toFault(error, where)
  if (!rejection.hasCause) return rejection
  const { cause } = rejection
  // It passes here once more on its way out.
  rejection.hasCause = false
  onError(cause, rejection.source ?? where, isLogged(cause, rejection, request))
  return rejection
}

/** The refusal of a request because code that is not ours failed. */
export function toFailure(source: ErrorSource, error: unknown): Rejection {
  return isRejection(error) ? error : new Rejection('internal_error', { cause: error, source })
}

function toFault(cause: unknown, source: ErrorSource): Rejection {
  return cause instanceof StoreError ? storeRejection(cause) : new Rejection('internal_error', { cause, source })
}

/** Whether the framework has an error in its own log now. */
function isLogged(cause: unknown, { refusal }: Rejection, { onError }: HttpRequest): boolean {
  try {
    return onError !== undefined && onError(cause, refusals[refusal].status) !== false
  } catch {
    // It is reported all the same, and the request still wants its answer.
    return false
  }
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
