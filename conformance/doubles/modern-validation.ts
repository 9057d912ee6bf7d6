import type { IncomingMessage } from 'node:http'
import { kindOf } from './body.ts'
import { supportedVersions } from './guard.ts'
import {
  headerMismatch,
  type ModernDefects,
  ModernRefusal,
  type ModernRequest,
  metaKeys,
  modernVersion,
} from './modern-wire.ts'
import { hasWhiteSpace } from './white-space.ts'
import { isObject, type Json, type RequestId } from './wire.ts'

/**
 * From JSON to a request; `undefined` for a notification. In the order of the clauses: what is malformed, versions that
 * differ, versions that nobody knows, and then the other headers.
 */
export function readModern(
  value: unknown,
  request: IncomingMessage,
  { defects, isOnly }: { defects: ModernDefects; isOnly: boolean },
): ModernRequest | undefined {
  const message = toMessage(value, defects)
  const kind = kindOf(message)
  if (kind === 'response' && defects.has('modern-response-accepted')) return undefined
  if (kind === 'notification') return undefined
  if (kind !== 'request') throw new ModernRefusal(400, -32600, 'Expected a request or a notification')
  const { method, id, params } = message
  if (method === 'initialize' && isOnly) throw refusedInitialize(defects)
  const meta = readMeta(params, request, defects)
  const about = { method: String(method), params: isObject(params) ? params : {} }
  checkVersion(meta, request, defects)
  checkMethodHeader(about.method, request, defects)
  checkNameHeader(about, request, defects)
  const { capabilities, logLevel } = metaKeys
  const { progressToken } = meta
  return {
    ...about,
    id: id as RequestId,
    capabilities: isObject(meta[capabilities]) ? meta[capabilities] : {},
    logLevel: typeof meta[logLevel] === 'string' ? meta[logLevel] : undefined,
    progressToken: typeof progressToken === 'string' || typeof progressToken === 'number' ? progressToken : undefined,
  }
}

function toMessage(value: unknown, defects: ModernDefects): Json {
  if (Array.isArray(value) && defects.has('modern-batch-accepted')) return toMessage(value[0], defects)
  if (isObject(value) && value.jsonrpc === '2.0') return value
  throw new ModernRefusal(400, -32600, 'Expected one JSON-RPC message')
}

function refusedInitialize(defects: ModernDefects): ModernRefusal {
  const data = { supported: [modernVersion], requested: 'initialize' }
  const isMute = defects.has('modern-initialize-error-names-nothing')
  return new ModernRefusal(400, -32022, 'No version with initialize', isMute ? {} : { data })
}

const readBefore = new WeakSet<object>()

function readMeta(params: unknown, { socket }: IncomingMessage, defects: ModernDefects): Json {
  const malformed = (what: string) => new ModernRefusal(400, -32602, `Expected ${what} in _meta`)
  const meta = isObject(params) ? params._meta : undefined
  const { version, capabilities, clientInfo } = metaKeys
  const isKnown = readBefore.has(socket) && defects.has('modern-connection-keeps-version')
  if (!isObject(meta)) {
    if (defects.has('modern-missing-meta-is-200')) throw new ModernRefusal(200, -32602, 'Expected _meta')
    if (!isKnown) throw malformed('something')
    return { [version]: modernVersion, [capabilities]: {} }
  }
  readBefore.add(socket)
  const isOptional = defects.has('modern-version-in-meta-optional')
  if (typeof meta[version] !== 'string' && !isOptional) throw malformed(version)
  if (!isObject(meta[capabilities]) && !defects.has('modern-capabilities-optional')) throw malformed(capabilities)
  if (!isObject(meta[clientInfo]) && defects.has('modern-client-info-required')) throw malformed(clientInfo)
  return { ...meta, [version]: meta[version] ?? modernVersion }
}

/** Protocol Version Header: the header is there, is what `_meta` has, and both are known. */
function checkVersion(meta: Json, { headers }: IncomingMessage, defects: ModernDefects): void {
  const named = headers['mcp-protocol-version']
  const requested = meta[metaKeys.version]
  if (named === undefined && defects.has('modern-version-header-optional')) return
  const isSpared =
    (named === modernVersion && defects.has('modern-header-version-wins')) ||
    (supportedVersions.includes(String(named)) && defects.has('modern-meta-version-wins'))
  if (named !== requested && !isSpared) throw headerMismatch(`MCP-Protocol-Version ${named} is not ${requested}`)
  if (requested === modernVersion || isSpared) return
  const data = defects.has('modern-version-error-has-no-data') ? {} : { supported: versions(), requested }
  const status = defects.has('modern-unsupported-version-is-200') ? 200 : 400
  throw new ModernRefusal(status, -32022, 'Unsupported protocol version', { data })
}

export function versions(): string[] {
  return [modernVersion, ...supportedVersions]
}

function checkMethodHeader(method: string, request: IncomingMessage, defects: ModernDefects): void {
  const isCapital = request.rawHeaders.includes('MCP-METHOD') && defects.has('modern-capital-header-names-ignored')
  const named = isCapital ? undefined : request.headers['mcp-method']
  // Seen only where a double looks for it.
  if (hasWhiteSpace(request)) throw headerMismatch('Mcp-Method has white space around it')
  if (named === undefined) {
    if (!defects.has('modern-method-header-optional')) throw headerMismatch('Mcp-Method is missing')
    return
  }
  const isAlike = String(named).toLowerCase() === method.toLowerCase()
  const isSpared =
    (isAlike && defects.has('modern-method-header-in-any-case')) ||
    (!isAlike && defects.has('modern-method-header-not-compared'))
  if (named !== method && !isSpared) throw headerMismatch(`Mcp-Method ${named} is not ${method}`)
}

/** What `Mcp-Name` mirrors, by method. */
const namedBy: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'resources/read': 'uri',
  'prompts/get': 'name',
}

function checkNameHeader(
  { method, params }: { method: string; params: Json },
  request: IncomingMessage,
  defects: ModernDefects,
): void {
  const member = namedBy[method]
  if (member === undefined) return
  const named = request.headers['mcp-name']?.toString()
  const isTool = method === 'tools/call'
  const isSpared =
    (isTool && named === undefined && defects.has('modern-tool-name-header-optional')) ||
    (isTool &&
      named === 'throughline_other' &&
      params.name === 'echo' &&
      defects.has('modern-tool-name-not-compared')) ||
    (isTool && params.name === 'abort_probe' && defects.has('modern-mismatch-runs-the-tool')) ||
    (method === 'resources/read' && defects.has('modern-resource-uri-not-compared')) ||
    (method === 'prompts/get' && defects.has('modern-prompt-name-not-compared'))
  if (isSpared) return
  if (named === undefined) throw headerMismatch('Mcp-Name is missing')
  if (!defects.has('modern-name-in-any-bytes')) checkText(named)
  if (decodeName(named, defects) !== params[member]) throw headerMismatch(`Mcp-Name ${named} is not ${params[member]}`)
}

function decodeName(value: string, defects: ModernDefects): string {
  if (defects.has('modern-names-not-decoded')) return value
  const isAnyCase = defects.has('modern-sentinel-in-any-case')
  return decodeValue(isAnyCase ? value.replace('=?BASE64?', '=?base64?') : value, {
    isLenient: defects.has('modern-name-base64-lenient'),
    isAnyBytes: defects.has('modern-name-utf8-lenient'),
  })
}

/** Value Encoding: visible ASCII, spaces and tabs. */
function checkText(value: string): void {
  if (/[^\t\x20-\x7e]/.test(value)) throw headerMismatch('Characters beyond ASCII in a header')
}

/** Value Encoding: what is between the sentinels is Base64 of UTF-8. */
function decodeValue(value: string, { isLenient = false, isAnyBytes = false } = {}): string {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1]
  if (encoded === undefined) return value
  const bytes = Buffer.from(encoded, 'base64')
  if (!isLenient && bytes.toString('base64') !== encoded) throw headerMismatch('Invalid Base64 in a header')
  try {
    return new TextDecoder('utf-8', { fatal: !isAnyBytes }).decode(bytes)
  } catch {
    throw headerMismatch('Invalid UTF-8 in a header')
  }
}

/** Server Behavior for Custom Headers: arguments with `x-mcp-header` are mirrored, unless they have no value. */
export function checkParamHeaders(
  args: Json,
  inputs: Readonly<Record<string, Json>>,
  { request, defects }: { request: IncomingMessage; defects: ModernDefects },
): void {
  for (const [name, schema] of Object.entries(inputs)) {
    const header = schema['x-mcp-header']
    if (typeof header !== 'string') continue
    const named = request.headers[`mcp-param-${header.toLowerCase()}`]?.toString()
    const value = args[name]
    if (value === undefined || value === null) {
      if (value === null && defects.has('modern-null-needs-a-header')) throw headerMismatch(`${header} is missing`)
      continue
    }
    if (named === undefined) {
      if (defects.has('modern-param-header-optional')) continue
      throw headerMismatch(`Mcp-Param-${header} is missing`)
    }
    if (!defects.has('modern-param-in-any-bytes')) checkText(named)
    if (!isMirror(named, value, defects)) throw headerMismatch(`Mcp-Param-${header} is not ${String(value)}`)
  }
}

function isMirror(named: string, value: unknown, defects: ModernDefects): boolean {
  if (typeof value === 'number') {
    if (defects.has('modern-integers-not-compared')) return true
    return defects.has('modern-integers-compared-as-text') ? named === String(value) : Number(named) === value
  }
  if (typeof value === 'boolean') {
    return (defects.has('modern-booleans-in-any-case') ? named.toLowerCase() : named) === String(value)
  }
  if (defects.has('modern-params-never-match') && /^[\w-]+$/.test(named) && named === value) return false
  if (defects.has('modern-params-not-compared') && !named.startsWith('=?')) return true
  if (defects.has('modern-params-not-decoded')) return named === value
  return decodeValue(named, { isLenient: defects.has('modern-param-base64-lenient') }) === value
}
