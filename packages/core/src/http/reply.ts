import { type RequestId, toErrorMessage } from '../rpc/json-rpc.ts'
import { Rejection, refusals } from './errors.ts'
import { emptyHeaders, eventStreamHeaders, jsonHeaders } from './headers.ts'
import type { EventStreamBody, HttpReply } from './http.ts'

/** Accepted notifications and responses: 202 and no body (Sending Messages 4). */
export const accepted: HttpReply = { status: 202, headers: emptyHeaders, body: undefined }

/** Nobody reads it: the client left before it was sent anything. Whoever waits for a reply goes on. */
export const clientLeft: HttpReply = { status: 400, headers: emptyHeaders, body: undefined }

/** The session is over. */
export const ended: HttpReply = { status: 204, headers: emptyHeaders, body: undefined }

/**
 * The client has the whole stream. 204 is what event streams know for "do not come back" (WHATWG HTML §9.2.3); an empty
 * stream would have clients ask again for ever.
 */
export const nothingLeft: HttpReply = { status: 204, headers: emptyHeaders, body: undefined }

export function toJsonReply(body: string, headers?: Record<string, string>): HttpReply {
  return { status: 200, headers: headers ? { ...jsonHeaders, ...headers } : jsonHeaders, body }
}

export function toStreamReply(body: EventStreamBody, headers?: Record<string, string>): HttpReply {
  return { status: 200, headers: headers ? { ...eventStreamHeaders, ...headers } : eventStreamHeaders, body }
}

/** The one place where a refusal becomes a reply. What is not a refusal is our fault, and stays inside. */
export function toErrorReply(error: unknown, requestId?: RequestId): HttpReply {
  const rejection = error instanceof Rejection ? error : new Rejection('internal_error')
  const { status, code } = refusals[rejection.refusal]
  const body = JSON.stringify(toErrorMessage(code, rejection.message, rejection.requestId ?? requestId))
  return { status, headers: { ...jsonHeaders, ...rejection.headers }, body }
}
