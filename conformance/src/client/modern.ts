import type { Agent } from 'node:http'
import { modernRevision } from '../requirement.ts'
import { withCastTools } from '../roles.ts'
import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import { expectThat, notTestable } from './expect.ts'
import type { HeaderChanges } from './http.ts'
import { freshId, type Id, type Json, type Message } from './json-rpc.ts'
import { isModern, watchModern } from './modern-witness.ts'
import { entriesOf } from './pages.ts'
import { acceptBoth, responseIn, withDefaults } from './session.ts'

const envelope = 'io.modelcontextprotocol'

/** Members of `_meta` that revision 2026-07-28 gives a meaning. */
export const metaKeys = {
  version: `${envelope}/protocolVersion`,
  capabilities: `${envelope}/clientCapabilities`,
  client: `${envelope}/clientInfo`,
  logLevel: `${envelope}/logLevel`,
  subscription: `${envelope}/subscriptionId`,
  server: `${envelope}/serverInfo`,
} as const

/** Error codes that revision 2026-07-28 defines beside those of JSON-RPC. */
export const modernCodes = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const

/** `_meta` of a request of revision 2026-07-28 by a client with these capabilities. */
export function modernMeta(capabilities: Json = {}, more: Json = {}): Json {
  return {
    [metaKeys.version]: modernRevision,
    [metaKeys.capabilities]: capabilities,
    [metaKeys.client]: { name: 'throughline-conformance', version: '1.0.0' },
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
    'Mcp-Name': typeof about === 'string' ? toHeaderValue(about) : undefined,
  }
  return withDefaults(own, changes)
}

/** Value Encoding: as it is where a header can carry it, else in Base64 between the sentinels. */
export function toHeaderValue(value: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?base64\?.*\?=$/.test(value)
  return isPlain ? value : toSentinel(value)
}

export function toSentinel(value: string | Uint8Array): string {
  return `=?base64?${Buffer.from(value).toString('base64')}?=`
}

/** Headers that a lenient server might take for this value: its letters sent as they are, by the name of the encoding. */
export function beyondAscii(value: string): [string, string][] {
  return [
    ['Latin-1', value],
    ['UTF-8', Buffer.from(value).toString('latin1')],
  ]
}

export interface ModernCallOptions extends ModernRequestOptions {
  readonly headers?: HeaderChanges
  /** Keeps the connection for the next request. */
  readonly agent?: Agent
}

/** A request and its answer. */
export interface ModernAnswer {
  readonly request: Message
  readonly exchange: Exchange
  readonly response: Message
}

/** The request with the server's own tool in it, so that its headers can mirror the name. */
function toMessage({ target }: CheckContext, method: string, params: Json, options: ModernCallOptions): Message {
  return withCastTools(modernRequest(method, params, options), target.roles) as Message
}

/** POSTs a message as it is. */
export async function modernPost(
  context: CheckContext,
  message: Message,
  options: Pick<ModernCallOptions, 'headers' | 'agent'> = {},
): Promise<Exchange> {
  const headers = modernHeaders(message, options.headers)
  const exchange = await context.client.send('POST', { body: JSON.stringify(message), ...options, headers })
  watch(context, { message, headers, exchange })
  return exchange
}

/** What holds of every message is seen whatever the check is about. */
function watch(
  { target }: CheckContext,
  { message, headers, exchange }: { message: Message; headers: HeaderChanges; exchange: Exchange },
): void {
  if (isModern(message, headers['MCP-Protocol-Version'])) watchModern(target.witness, message, exchange)
}

/** Sends a request; resolves with the head of its answer. Tools are called by their roles. */
export async function modernSend(
  context: CheckContext,
  method: string,
  params: Json = {},
  options: ModernCallOptions = {},
): Promise<{ request: Message; exchange: Exchange }> {
  const request = toMessage(context, method, params, options)
  return { request, exchange: await modernPost(context, request, options) }
}

/** Sends a request; resolves with its response. */
export async function modernCall(
  context: CheckContext,
  method: string,
  params: Json = {},
  options: ModernCallOptions = {},
): Promise<ModernAnswer> {
  const { request, exchange } = await modernSend(context, method, params, options)
  return { request, exchange, response: await responseIn(exchange, request.id) }
}

/** Begins a request without waiting for the head of its answer. */
export function modernStart(
  context: CheckContext,
  method: string,
  params: Json = {},
  options: ModernCallOptions = {},
): { request: Message; exchange: Promise<Exchange>; abort: () => void } {
  const request = toMessage(context, method, params, options)
  const headers = modernHeaders(request, options.headers)
  const started = context.client.start('POST', { body: JSON.stringify(request), headers })
  // Whoever waits for it is told when it fails.
  started.exchange.then((exchange) => watch(context, { message: request, headers, exchange })).catch(() => undefined)
  return { request, ...started }
}

/** Calls the tool that plays a role. */
export async function modernTool(
  context: CheckContext,
  role: string,
  args: Json = {},
  options: ModernCallOptions = {},
): Promise<ModernAnswer> {
  return await modernCall(context, 'tools/call', { name: role, arguments: args }, options)
}

/** Expects a JSON-RPC error inside an HTTP error, both exactly as the clause has them. */
export function expectModernError(
  answer: ModernAnswer,
  expected: { status: number; code: number },
  what: string,
): void {
  const { exchange, response } = answer
  const { status, code } = expected
  expectThat(
    exchange.status === status && response.error?.code === code,
    `Expected ${what} to be refused with status ${status} and error ${code}, got ${describeAnswer(answer)}`,
  )
}

export function expectHeaderMismatch(answer: ModernAnswer, what: string): void {
  expectModernError(answer, { status: 400, code: modernCodes.headerMismatch }, what)
}

export function expectServed(answer: ModernAnswer, what: string): void {
  const { exchange, response } = answer
  expectThat(
    exchange.status === 200 && response.result !== undefined,
    `Expected ${what} to be served with a result, got ${describeAnswer(answer)}`,
  )
}

export function describeAnswer({ exchange, response }: Pick<ModernAnswer, 'exchange' | 'response'>): string {
  return `status ${exchange.status} with ${JSON.stringify(response).slice(0, 300)}`
}

/** What the server says that it offers. */
export async function discover(context: CheckContext): Promise<Json> {
  const answer = await modernCall(context, 'server/discover')
  expectServed(answer, 'server/discover')
  return answer.response.result ?? {}
}

/** Entries of a list; none where the server has no such list. */
export async function modernList(context: CheckContext, method: string, member: string): Promise<Json[]> {
  return await entriesOf(member, async (params) => (await modernCall(context, method, params)).response)
}

/**
 * What `tools/list` says of the tool that plays a role. A server of both eras may list other tools to clients of
 * 2026-07-28; what they cannot call is not testable.
 */
export async function modernRole(context: CheckContext, role: string): Promise<Json> {
  const name = context.target.roles.get(role)?.tool
  const found = (await modernList(context, 'tools/list', 'tools')).find((tool) => tool.name === name)
  return found ?? notTestable(`the tool for ${role} is not listed to clients of ${modernRevision}`)
}
