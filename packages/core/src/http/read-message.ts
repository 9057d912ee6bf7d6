import { isRequestId, type JsonRpcMessage, type RequestId, relatedTask } from '../rpc/json-rpc.ts'
import type { Bodies } from './bodies.ts'
import { Rejection } from './errors.ts'
import type { HttpRequest } from './http.ts'

/** The body of a POST: one message, or the messages of a batch. */
export type Incoming = JsonRpcMessage | readonly JsonRpcMessage[]

/** Most characters of an id: streams keep the ids of their requests, also after their events are gone. */
const maxIdLength = 256

/** Most messages in a batch. A batch answers all of them at once, so an unbounded one holds memory for all. */
const maxBatch = 100

// Invalid UTF-8 must not be replaced and executed (Transports: messages MUST be UTF-8). A byte order mark is skipped.
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Who reads a body, and its bounds: see the options of the same names. */
export interface ReadOptions {
  readonly bodies: Bodies
  readonly maxBodyBytes: number
  readonly maxDepth: number
}

/** Reads a request's body, or takes it as an earlier parser left it. */
export function readMessage(request: HttpRequest, options: ReadOptions): Promise<Incoming> {
  const { parsedBody } = request
  if (parsedBody === undefined) return options.bodies.read(request, (body) => toMessage(body, options))
  return new Promise((resolve) => resolve(toMessage(parsedBody, options)))
}

/** Makes sure that a body is JSON-RPC. Whether a batch is allowed depends on the session: see `dispatch.ts`. */
function toMessage(body: unknown, { maxBodyBytes, maxDepth }: ReadOptions): Incoming {
  const value = body instanceof Uint8Array || typeof body === 'string' ? parse(body, maxBodyBytes) : body
  if (!isWithinDepth(value, maxDepth)) throw new Rejection('too_deep')
  if (!Array.isArray(value)) return readRpc(value)
  if (value.length === 0) throw new Rejection('invalid_request', { message: 'Invalid request: the batch is empty' })
  if (value.length > maxBatch) {
    throw new Rejection('invalid_request', {
      message: `Invalid request: expected at most ${maxBatch} messages in a batch, got ${value.length}`,
    })
  }
  const messages = value.map(readRpc)
  checkUniqueIds(messages)
  return messages
}

function parse(body: Uint8Array | string, maxBodyBytes: number): unknown {
  // The parser that read it may have had no limit. A text has at least as many bytes as characters.
  if (body.length > maxBodyBytes) throw new Rejection('body_too_large')
  try {
    return JSON.parse(typeof body === 'string' ? body : utf8.decode(body))
  } catch {
    // Both can only mean that the client's bytes are not JSON in UTF-8; their texts would show parts of the body.
    throw new Rejection('parse_error')
  }
}

/** Server objects walk values recursively, so depth is the stack they need. */
function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isWithinDepth(item, depth - 1))
  for (const key in value) {
    if (!isWithinDepth((value as Record<string, unknown>)[key], depth - 1)) return false
  }
  return true
}

/**
 * Request, notification or response, by its own members only (JSON-RPC 2.0 §4 and §5). Server objects ignore a message
 * that does not fit their schemas, without an answer: it is refused here. Members that they do not know are left out.
 */
function readRpc(value: unknown): JsonRpcMessage {
  if (!isObject(value)) throw invalid('expected an object')
  const requestId = isRequestId(value.id) ? value.id : undefined
  if (isTooLong(requestId)) throw invalid(`expected id to have at most ${maxIdLength} characters`)
  if (value.jsonrpc !== '2.0') throw invalid('expected jsonrpc to be "2.0"', requestId)
  if ('id' in value && requestId === undefined) throw invalid('expected id to be a string or a safe integer')
  // Clients whose language has no absent members send null.
  if ('method' in value && value.params === null) return readRpc(withoutParams(value))
  if ('method' in value) checkCall(value, requestId)
  else checkResponse(value, requestId)
  return withoutUnknownMembers(value) as unknown as JsonRpcMessage
}

function isTooLong(requestId: RequestId | undefined): boolean {
  return typeof requestId === 'string' && requestId.length > maxIdLength
}

type Members = Readonly<Record<string, unknown>>

function checkCall(message: Members, requestId: RequestId | undefined): void {
  const { method, params } = message
  if (typeof method !== 'string') throw invalid('expected method to be a string', requestId)
  if ('result' in message || 'error' in message)
    throw invalid('a message with a method has no result or error', requestId)
  if (params !== undefined && !(isObject(params) && isMeta(params._meta))) {
    throw new Rejection('invalid_params', requestId === undefined ? {} : { requestId })
  }
}

function checkResponse({ result, error }: Members, requestId: RequestId | undefined): void {
  if (requestId === undefined) throw invalid('expected a method, or an id with a result or an error')
  if ((result === undefined) === (error === undefined)) throw invalid('expected either a result or an error')
  if (result !== undefined && !(isObject(result) && isMeta(result._meta)))
    throw invalid('expected result to be an object')
  if (error !== undefined && !isError(error)) throw invalid('expected error to have an integer code and a message')
}

function isError(error: unknown): boolean {
  return isObject(error) && Number.isSafeInteger(error.code) && typeof error.message === 'string'
}

/** `_meta`, and the members of it that have a type (Base Protocol, _meta; Progress; Tasks). */
function isMeta(meta: unknown): boolean {
  if (meta === undefined) return true
  if (!isObject(meta)) return false
  const { progressToken, [relatedTask]: task } = meta
  if (progressToken !== undefined && !isRequestId(progressToken)) return false
  return task === undefined || (isObject(task) && typeof task.taskId === 'string')
}

/** A new object: a parser's may be the app's as well. */
function withoutParams({ params: _params, ...others }: Members): Members {
  return others
}

const callMembers = new Set(['jsonrpc', 'id', 'method', 'params'])
const responseMembers = new Set(['jsonrpc', 'id', 'result', 'error'])

function withoutUnknownMembers(message: Members): Members {
  const known = 'method' in message ? callMembers : responseMembers
  for (const name in message) {
    if (!known.has(name)) return Object.fromEntries(Object.entries(message).filter(([member]) => known.has(member)))
  }
  return message
}

function checkUniqueIds(messages: readonly JsonRpcMessage[]): void {
  const ids = messages.flatMap((message) => ('method' in message && 'id' in message ? [message.id] : []))
  if (new Set(ids).size !== ids.length) throw invalid('the ids in a batch must differ')
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(reason: string, requestId?: RequestId): Rejection {
  const message = `Invalid request: ${reason}`
  return new Rejection('invalid_request', requestId === undefined ? { message } : { message, requestId })
}
