/** JSON-RPC as this suite reads and writes it. Its own types: the code under test must not define what is right. */
export type Id = string | number

export type Json = Record<string, unknown>

export interface Message extends Json {
  readonly jsonrpc: '2.0'
  readonly id?: Id
  readonly method?: string
  readonly params?: Json
  readonly result?: Json
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isRequest(message: Message): boolean {
  return message.method !== undefined && message.id !== undefined
}

export function isNotification(message: Message): boolean {
  return message.method !== undefined && message.id === undefined
}

export function isResponse(message: Message): boolean {
  return message.method === undefined && ('result' in message || 'error' in message)
}

let counter = 0

/** An id no other message of this run has. */
export function freshId(): string {
  counter += 1
  return `c${counter}`
}

export function request(method: string, params?: Json, id: Id = freshId()): Message {
  return params === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params }
}

export function notification(method: string, params?: Json): Message {
  return params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params }
}

export function resultFor(id: Id, result: Json): Message {
  return { jsonrpc: '2.0', id, result }
}

export function errorFor(id: Id, code = -32000, message = 'refused by the conformance client'): Message {
  return { jsonrpc: '2.0', id, error: { code, message } }
}

/** A request any server answers. */
export const ping: Message = { jsonrpc: '2.0', id: 'ping', method: 'ping' }

export interface ToolCallOptions {
  readonly id?: Id
  readonly progressToken?: Id
}

export function toolCall(name: string, args: Json = {}, options: ToolCallOptions = {}): Message {
  const params: Json = { name, arguments: args }
  if (options.progressToken !== undefined) params._meta = { progressToken: options.progressToken }
  return request('tools/call', params, options.id ?? freshId())
}

/** Client capabilities that let a server ask for everything. */
export const everyCapability: Json = { sampling: {}, elicitation: {}, roots: { listChanged: true } }

export function initialize(version: string, capabilities: Json = everyCapability, id: Id = freshId()): Message {
  const clientInfo = { name: 'throughline-conformance', version: '1.0.0' }
  return request('initialize', { protocolVersion: version, capabilities, clientInfo }, id)
}

/** Text of a tool's first content item; `undefined` when the response has none. */
export function textOf(response: Message | undefined, index = 0): string | undefined {
  const content = response?.result?.content
  const item: unknown = Array.isArray(content) ? content[index] : undefined
  return isObject(item) && typeof item.text === 'string' ? item.text : undefined
}
