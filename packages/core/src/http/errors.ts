import { expected } from '../option-checks.ts'
import { type RequestId, rpcCode } from '../rpc/json-rpc.ts'
import type { ErrorSource } from './error-source.ts'
import { fieldName, fieldValue } from './headers.ts'
import type { HttpReply } from './http.ts'

interface Refusal {
  readonly status: number
  readonly code: number
  readonly message: string
}

/** Every way a request is refused: HTTP status, JSON-RPC code, and a message that says what the client can do. */
export const refusals = {
  method_not_allowed: refusal(405, rpcCode.refused, 'Method not allowed: see the Allow header'),
  host_not_allowed: refusal(
    403,
    rpcCode.refused,
    'Host not allowed: connections on a loopback address must name a loopback host, or one listed in allowedHosts',
  ),
  origin_not_allowed: refusal(
    403,
    rpcCode.refused,
    'Origin not allowed: list it in allowedOrigins, or, if it is the own origin of this server, its host in allowedHosts',
  ),
  site_not_allowed: refusal(403, rpcCode.refused, 'Page not allowed: it is of another site, and named no Origin'),
  not_acceptable: refusal(
    406,
    rpcCode.refused,
    'Not acceptable: the Accept header must list application/json and text/event-stream for POST, text/event-stream for GET',
  ),
  unsupported_media_type: refusal(
    415,
    rpcCode.refused,
    'Unsupported media type: expected Content-Type application/json in UTF-8, without content coding',
  ),
  repeated_header: refusal(
    400,
    rpcCode.refused,
    'A header occurs several times: Host and Content-Type must occur once',
  ),
  body_too_large: refusal(413, rpcCode.refused, 'Request body too large'),
  body_too_slow: refusal(408, rpcCode.refused, 'Request body too slow: send it again, on a new connection'),
  too_many_bodies: refusal(503, rpcCode.refused, 'No room for another request body: try again later'),
  body_consumed: refusal(
    500,
    rpcCode.internalError,
    'The request body was read before it reached the MCP endpoint, and no parsed body was left: mount the endpoint before that middleware',
  ),
  unauthorized: refusal(401, rpcCode.refused, 'Unauthorized: a valid access token is required, see WWW-Authenticate'),
  auth_unavailable: refusal(503, rpcCode.refused, 'Access tokens cannot be verified at the moment: try again'),
  insufficient_scope: refusal(403, rpcCode.refused, 'Forbidden: the access token lacks a scope, see WWW-Authenticate'),
  unsupported_version: refusal(400, rpcCode.refused, 'Unsupported MCP-Protocol-Version'),
  header_mismatch: refusal(
    400,
    rpcCode.headerMismatch,
    'Header mismatch: Mcp-Method and Mcp-Name must be those of the body',
  ),
  session_required: refusal(
    400,
    rpcCode.refused,
    'Mcp-Session-Id header required: send initialize first, then the session id it was answered with',
  ),
  // Mastra starts anew on the words "HTTP 404": the client in it hides the status and shows the body.
  session_not_found: refusal(404, rpcCode.sessionNotFound, 'Session not found (HTTP 404): start anew with initialize'),
  already_initialized: refusal(400, rpcCode.invalidRequest, 'This session is already initialized'),
  parse_error: refusal(400, rpcCode.parseError, 'Parse error: the body is not JSON in UTF-8'),
  too_deep: refusal(400, rpcCode.invalidRequest, 'Invalid request: JSON nested too deeply'),
  invalid_request: refusal(400, rpcCode.invalidRequest, 'Invalid request'),
  invalid_params: refusal(
    400,
    rpcCode.invalidParams,
    'Invalid params: expected an object, with _meta, if any, as the protocol defines it',
  ),
  batch_not_supported: refusal(
    400,
    rpcCode.invalidRequest,
    'Invalid request: batches exist only up to protocol revision 2025-03-26; send one message per POST',
  ),
  unexpected_response: refusal(400, rpcCode.invalidRequest, 'Invalid request: the server never asked with this id'),
  invalid_event_id: refusal(400, rpcCode.refused, 'Last-Event-ID is not an event id of this session'),
  history_gone: refusal(400, rpcCode.refused, 'The stream named by Last-Event-ID is no longer kept'),
  too_many_calls: refusal(429, rpcCode.refused, 'Too many calls are running in this session'),
  too_many_requests: refusal(503, rpcCode.refused, 'No room for another request at the moment: try again later'),
  too_many_sessions: refusal(503, rpcCode.refused, 'No room for another session: try again later'),
  draining: refusal(503, rpcCode.refused, 'The server is shutting down: try again'),
  store_unavailable: refusal(503, rpcCode.refused, 'The session store cannot be reached: try again'),
  owner_unreachable: refusal(503, rpcCode.refused, 'The node that has this session does not answer: try again'),
  client_left: refusal(400, rpcCode.refused, 'The request body ended early'),
  internal_error: refusal(500, rpcCode.internalError, 'Internal error'),
} satisfies Record<string, Refusal>

export type RefusalCode = keyof typeof refusals

export interface RefusalDetails {
  readonly message?: string
  readonly requestId?: RequestId
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
  readonly source?: ErrorSource
}

/**
 * Thrown where a request is refused; `reply.ts` makes the reply of it.
 * @throws TypeError for a code that does not exist, and for a header that HTTP does not allow
 */
export class Rejection extends Error {
  override readonly name = 'Rejection'
  readonly refusal: RefusalCode
  /** The id of the refused JSON-RPC request, when it could be read. */
  requestId: RequestId | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  /** The error behind it: told to `onError`, never to the client. */
  override cause: unknown
  /** That is still to be reported. It may be anything, `undefined` too. */
  hasCause: boolean
  /** Where that came from. */
  readonly source: ErrorSource | undefined
  /** The reply, where it was made elsewhere. */
  reply: HttpReply | undefined

  constructor(code: RefusalCode, details?: RefusalDetails) {
    if (!isRefusalCode(code)) throw expected("the code of a Rejection to exist, as 'unauthorized'", code)
    super(details?.message ?? refusals[code].message)
    if (details?.headers) checkHeaders(details.headers)
    this.cause = details?.cause
    this.hasCause = details?.cause !== undefined || details?.source !== undefined
    this.source = details?.source
    this.refusal = code
    this.requestId = details?.requestId
    this.headers = details?.headers
  }
}

/**
 * Also one of another copy of this package: a process may have that of `import` and that of `require`, and in CommonJS each
 * entry is a copy of its own.
 */
export function isRejection(error: unknown): error is Rejection {
  if (error instanceof Rejection) return true
  return error instanceof Error && error.name === 'Rejection' && isRefusalCode((error as Partial<Rejection>).refusal)
}

function isRefusalCode(code: unknown): code is RefusalCode {
  return typeof code === 'string' && Object.hasOwn(refusals, code)
}

/** What platforms make of others differs (RFC 9110 §5): some send a part of the refusal, some their own error. */
function checkHeaders(headers: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!fieldName.test(name)) throw expected('the headers of a Rejection to have names of HTTP', name)
    if (typeof value !== 'string' || !fieldValue.test(value))
      throw expected(`${name} of a Rejection to be a text that HTTP allows`, value)
  }
}

/**
 * For a client that is refused for want of room. Jittered, so that those who are refused together do not come back
 * together.
 */
export function retryLater(): { headers: Record<string, string> } {
  return { headers: { 'retry-after': String(5 + Math.floor(Math.random() * 11)) } }
}

/** Jittered, so that those who are refused together do not come back together. */
export function drainingRejection(): Rejection {
  return tryAgain('draining')
}

/** Jittered as well: all clients of a store meet its outage together. */
export function storeRejection(cause: unknown): Rejection {
  return tryAgain('store_unavailable', { cause })
}

/** The node of a session lives, and does not answer. */
export function unreachableRejection(): Rejection {
  return tryAgain('owner_unreachable')
}

function tryAgain(code: RefusalCode, details?: RefusalDetails): Rejection {
  return new Rejection(code, { ...details, headers: { 'retry-after': String(1 + Math.floor(Math.random() * 5)) } })
}

function refusal(status: number, code: number, message: string): Refusal {
  return { status, code, message }
}
