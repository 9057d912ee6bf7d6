/** JSON-RPC 2.0 as MCP uses it: string or integer ids, params by name (Base Protocol, Messages). */
export type RequestId = string | number

export interface JsonRpcRequest {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
}

export interface JsonRpcNotification {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
}

export interface JsonRpcResult {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  readonly result: Readonly<Record<string, unknown>>
}

export interface JsonRpcError {
  readonly jsonrpc: '2.0'
  /** Absent where the request's id could not be read (2025-11-25 schema: never `null`). */
  readonly id?: RequestId
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown }
}

export type JsonRpcResponse = JsonRpcResult | JsonRpcError
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse

/** Error codes: JSON-RPC 2.0 §5.1, and the two that MCP transports use in the server range. */
export const rpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  internalError: -32603,
  /** Anything the transport refuses. */
  refused: -32000,
  sessionNotFound: -32001,
  /** 2026-07-28: a header says otherwise than the body. */
  headerMismatch: -32020,
  unsupportedVersion: -32022,
} as const

/** An integer that JSON carries without loss, or a string (Base Protocol, Requests). */
export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return 'method' in message && 'id' in message
}

export function isInitialize(message: JsonRpcMessage): message is JsonRpcRequest {
  return isRequest(message) && message.method === 'initialize'
}

export function isResponse(message: JsonRpcMessage): message is JsonRpcResponse {
  return !('method' in message)
}

/** The member of `_meta` that names the task of a message (2025-11-25, Tasks, Associating Task-Related Messages). */
export const relatedTask = 'io.modelcontextprotocol/related-task'

/** A task goes on when the call that began it is answered, and its messages may come on any stream (Tasks). */
export function isOfTask({ params }: JsonRpcNotification): boolean {
  return Object.hasOwn((params?._meta ?? {}) as object, relatedTask)
}

export function toErrorMessage(code: number, message: string, id?: RequestId): JsonRpcError {
  const error = { code, message }
  return id === undefined ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error }
}

/** Whether clients take it for an answer, as far as its form tells. */
export function isAnswer(response: JsonRpcResponse): boolean {
  const { error, result } = response as { readonly error?: Partial<JsonRpcError['error']>; readonly result?: unknown }
  if ('error' in response) return typeof error?.message === 'string' && Number.isSafeInteger(error.code)
  return typeof result === 'object' && result !== null && !Array.isArray(result)
}

/**
 * The answer of a server object as JSON text. Clients take nothing else for an answer, and wait on; the SDKs send on what most
 * handlers give (2025-11-25 Basic, Responses).
 * @throws TypeError for what is no answer, or not JSON
 */
export function toAnswerText(id: RequestId, response: JsonRpcResponse): string {
  // Member by member: a spread of the response would be a copy that is thrown away.
  if ('error' in response) {
    if (isAnswer(response)) return JSON.stringify({ jsonrpc: '2.0', id, error: response.error })
  } else {
    const text = JSON.stringify({ result: response.result, jsonrpc: '2.0', id })
    if (text.startsWith('{"result":{')) return text
  }
  throw new TypeError('Expected a handler to give an object as its result, or to throw an Error')
}
