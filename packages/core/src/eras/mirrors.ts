import { isBatch } from '../call/dispatch.ts'
import { Rejection } from '../http/errors.ts'
import { isPlainText } from '../http/headers.ts'
import type { HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import { eraOfVersion } from '../rpc/revision.ts'

/**
 * A gateway that reads the version of 2026-07-28 may let a request pass by its headers `Mcp-Method` and `Mcp-Name`: in a
 * session as well they must not say otherwise than the body.
 * @throws Rejection `header_mismatch`
 */
export function checkMirrors(request: HttpRequest, { version }: RequestHead, incoming: Incoming): void {
  if (version === undefined || eraOfVersion(version) !== '2026') return
  const { method, params } = isBatch(incoming) || !('method' in incoming) ? { method: undefined } : incoming
  checkMirror('Mcp-Method', request.header('mcp-method'), method)
  checkMirror('Mcp-Name', request.header('mcp-name'), method && params && nameOf(method, params))
}

/** By what a method begins with, which parameter says what it is about: it may have others of the same names. */
const naming: Readonly<Record<string, string>> = { tools: 'name', prompts: 'name', resources: 'uri', tasks: 'taskId' }

function nameOf(method: string, params: Record<string, unknown>): unknown {
  const [beginning = ''] = method.split('/')
  if (Object.hasOwn(naming, beginning)) return params[naming[beginning] as string]
  return params.name ?? params.uri ?? params.taskId
}

function checkMirror(name: string, header: string | undefined, value: unknown): void {
  if (header === undefined || (header === value && isPlainText(header) && !isSentinel(header))) return
  // A value that is longer than the header is not what it encodes, and may be as large as a body.
  if (typeof value === 'string' && value.length < header.length && header === toSentinel(value)) return
  throw new Rejection('header_mismatch', { message: `Header mismatch: ${name} says otherwise than the body` })
}

/** A gateway reads what it encodes. A value that looks like that itself must be encoded (2026-07-28, Value Encoding). */
function isSentinel(header: string): boolean {
  return header.startsWith('=?base64?') && header.endsWith('?=')
}

/** How a value that is no header text is sent (2026-07-28, Value Encoding). */
function toSentinel(value: string): string {
  return `=?base64?${btoa(String.fromCodePoint(...new TextEncoder().encode(value)))}?=`
}
