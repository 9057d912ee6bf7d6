import { modernRevision } from '../requirement.ts'
import type { HeaderChanges } from './http.ts'
import { freshId, type Id, type Json, type Message } from './json-rpc.ts'
import { acceptBoth, withDefaults } from './session.ts'

const envelope = 'io.modelcontextprotocol'

/** `_meta` of a request of revision 2026-07-28 by a client with these capabilities. */
export function modernMeta(capabilities: Json = {}, more: Json = {}): Json {
  return {
    [`${envelope}/protocolVersion`]: modernRevision,
    [`${envelope}/clientCapabilities`]: capabilities,
    [`${envelope}/clientInfo`]: { name: 'throughline-conformance', version: '1.0.0' },
    ...more,
  }
}

export interface ModernRequestOptions {
  readonly id?: Id
  readonly capabilities?: Json
  /** Added to `_meta`; `undefined` takes a member away. */
  readonly meta?: Json
}

/** A request as a client of revision 2026-07-28 sends it. */
export function modernRequest(method: string, params: Json = {}, options: ModernRequestOptions = {}): Message {
  const { id = freshId(), capabilities, meta } = options
  return { jsonrpc: '2.0', id, method, params: { ...params, _meta: modernMeta(capabilities, meta) } }
}

/** The headers that mirror a message: version, method, and the name of what it is about. */
export function modernHeaders(message: Message, changes: HeaderChanges = {}): HeaderChanges {
  const { name, uri } = message.params ?? {}
  const about = message.method === 'resources/read' ? uri : name
  const own = {
    'Content-Type': 'application/json',
    Accept: acceptBoth,
    'MCP-Protocol-Version': modernRevision,
    'Mcp-Method': message.method,
    'Mcp-Name': typeof about === 'string' ? about : undefined,
  }
  return withDefaults(own, changes)
}
