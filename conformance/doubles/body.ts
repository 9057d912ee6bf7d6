import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { errorMessage, isObject, type Json, type Message, Refusal, type RequestId, type Settings } from './wire.ts'

const maxDepth = 64
const maxBatch = 100

/** What was in the body: one message, or several in an array. */
export interface Body {
  readonly isBatch: boolean
  readonly messages: readonly Message[]
}

/** Reads the body under the cap. What comes after the cap is thrown away, so that the client gets to read the 413. */
export async function readBody(request: IncomingMessage, settings: Settings): Promise<Buffer> {
  const { defects } = settings
  const maxBodyBytes = defects.has('limit-is-100-kib') ? 102_400 : settings.maxBodyBytes
  const tooLarge = new Refusal(413, 'Body too large')
  const isDeclaredTooLarge = Number(request.headers['content-length'] ?? 0) > maxBodyBytes
  if (isDeclaredTooLarge) {
    request.resume()
    throw defects.has('declared-length-is-400') ? new Refusal(400, 'Body too large') : tooLarge
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    const isOver = size > maxBodyBytes && !defects.has('chunked-length-not-checked')
    if (isOver) {
      request.resume()
      throw tooLarge
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** From bytes to JSON. */
export function parseBody(bytes: Buffer, { headers }: IncomingMessage, { defects }: Settings): unknown {
  const isInflated = headers['content-encoding'] === 'gzip' && defects.has('gzip-inflated-without-limit')
  const charset = /charset=([\w-]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  let text: string
  try {
    const decoder = new TextDecoder(charset, { fatal: !defects.has('invalid-utf8-replaced') })
    text = decoder.decode(isInflated ? gunzipSync(bytes) : bytes)
  } catch {
    throw new Refusal(400, 'Body is not UTF-8', { code: -32700 })
  }
  if (defects.has('byte-order-mark-fails') && bytes[0] === 0xef) throw new Error('Unexpected token')
  if (defects.has('duplicate-keys-fail') && /"(id|method)":[^,]+,"\1"/.test(text)) throw new Error('Duplicate key')
  if (depthOf(text) > maxDepth && !defects.has('depth-not-limited')) throw new Refusal(400, 'Nested too deeply')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const status = defects.has('parse-error-is-200') && text.trim() !== '' ? 200 : 400
    throw new Refusal(status, 'Parse error', { code: -32700 })
  }
  if (defects.has('depth-not-limited')) walk(value)
  return value
}

/** What code without a depth limit does sooner or later: it recurses. */
function walk(value: unknown): void {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) walk(inner)
}

/** How deep a JSON text nests. Brackets inside strings do not count. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (inString && character === '\\') i++
    else if (character === '"') inString = !inString
    else if (!inString && (character === '[' || character === '{')) deepest = Math.max(deepest, ++depth)
    else if (!inString && (character === ']' || character === '}')) depth--
  }
  return deepest
}

/** From JSON to messages. `version` is the session's; without a session there are no batches. */
export function toMessages(value: unknown, version: string | undefined, settings: Settings): Body {
  const { defects } = settings
  if (defects.has('scalar-body-accepted') && !Array.isArray(value) && !isObject(value))
    return { isBatch: false, messages: [] }
  if (!Array.isArray(value)) return { isBatch: false, messages: [toMessage(value, defects)] }
  const { length } = value
  if (length === 0 && !defects.has('empty-batch-accepted')) throw new Refusal(400, 'Empty batch', { code: -32600 })
  const initialize = value.find((element) => isObject(element) && element.method === 'initialize')
  if (initialize && defects.has('initialize-in-batch-accepted')) return toMessages(initialize, version, settings)
  const mayBatch =
    version === '2025-03-26' ||
    (version === '2025-06-18' && defects.has('batch-accepted-in-2025-06-18')) ||
    (version === '2025-11-25' && defects.has('batch-accepted-in-2025-11-25'))
  if (!mayBatch && length > 0) throw new Refusal(400, 'Batches ended with 2025-03-26', { code: -32600 })
  if (length > maxBatch && !defects.has('batch-size-not-limited')) {
    throw new Refusal(400, `More than ${maxBatch} messages in a batch`, { code: -32600 })
  }
  const isInvalid = value.some((element) => !isMessage(element))
  const dropsInvalid = defects.has('invalid-batch-elements-dropped')
  if (isInvalid && !dropsInvalid) throw new Refusal(400, 'Invalid element in a batch', { code: -32600 })
  const messages = value.filter((element) => !dropsInvalid || isMessage(element)).map((one) => toMessage(one, defects))
  if (initialize) {
    throw new Refusal(400, 'initialize must not be part of a batch', { code: -32600 })
  }
  const ids = messages.flatMap(({ id, method }) => (id !== undefined && method !== undefined ? [id] : []))
  if (new Set(ids).size < ids.length && !defects.has('duplicate-ids-in-batch-collide')) {
    throw new Refusal(400, 'Two requests with one id', { code: -32600 })
  }
  return { isBatch: true, messages }
}

function isMessage(value: unknown): boolean {
  return isObject(value) && value.jsonrpc === '2.0'
}

/** What a body is, before its shape is checked. */
export function kindOf(value: unknown): 'request' | 'notification' | 'response' | 'other' {
  if (!isObject(value)) return 'other'
  if (value.method === undefined) return 'response'
  return value.id === undefined ? 'notification' : 'request'
}

function toMessage(value: unknown, defects: Settings['defects']): Message {
  const invalid = (why: string, requestId?: RequestId): Refusal =>
    new Refusal(400, `Invalid request: ${why}`, { code: -32600, requestId })
  if (!isObject(value)) throw invalid('not an object')
  if (defects.has('keys-match-in-any-case') && value.method === undefined && ('Method' in value || 'METHOD' in value)) {
    return toMessage(Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item])), defects)
  }
  const { jsonrpc, method, params, result, error } = value
  if (defects.has('huge-numbers-fail') && value.id === Number.POSITIVE_INFINITY) throw new Error('Not a number')
  if (defects.has('unknown-members-fail') && 'foo' in value) throw new Error('Unknown member')
  const isAnswer = method === undefined && (result !== undefined || error !== undefined)
  if (isAnswer && defects.has('malformed-responses-accepted')) {
    const isWellFormed = isRequestId(value.id) && (isObject(result) || isObject(error)) && !(result && error)
    if (!isWellFormed) return { jsonrpc: '2.0', method: 'notifications/ignored' }
  }
  const requestId = isRequestId(value.id) ? value.id : undefined
  if (jsonrpc !== '2.0' && !defects.has('jsonrpc-not-checked')) throw invalid('jsonrpc', requestId)
  if ('id' in value && requestId === undefined) {
    if (value.id === null && defects.has('null-id-accepted')) return { jsonrpc: '2.0', method: String(method) }
    if (value.id === null || !defects.has('any-id-accepted')) throw invalid('id')
  }
  const kinds = [method !== undefined, result !== undefined, error !== undefined].filter(Boolean).length
  if (kinds !== 1 && !(defects.has('shape-not-checked') && method !== undefined))
    throw invalid('neither request nor response', requestId)
  if (method !== undefined && typeof method !== 'string' && !defects.has('shape-not-checked')) {
    throw invalid('method', requestId)
  }
  const mayHaveAnyParams = defects.has('any-params-accepted') && requestId !== undefined
  if (params !== undefined && !isObject(params) && !mayHaveAnyParams) {
    throw new Refusal(400, 'Invalid params', { code: -32602, requestId })
  }
  const isBadResponse =
    (result !== undefined && !isObject(result)) ||
    (error !== undefined && !(isObject(error) && Number.isInteger(error.code) && typeof error.message === 'string')) ||
    (method === undefined && requestId === undefined)
  if (isBadResponse) throw invalid('response', requestId)
  return value as unknown as Message
}

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

/** The body of a refusal. Where the id could not be read there is none: `null` is not in the 2025-11-25 schema. */
export function toRefusalBody(refusal: Refusal, { defects }: Settings): Message | Json {
  const message = errorMessage(refusal.code, refusal.message, refusal.requestId)
  if (refusal.status !== 403 && defects.has('refusals-have-id-zero')) return { ...message, id: 0 }
  if (defects.has('refusals-show-the-stack')) return { ...message, error: { ...message.error, data: refusal.stack } }
  return message
}
