import type { IncomingMessage } from 'node:http'
import { sparesOrigin } from './auth.ts'
import type { Session } from './session.ts'
import { headerLines, Refusal, type Settings } from './wire.ts'

/** What the client accepts as the answer. */
export interface Accepted {
  readonly json: boolean
  readonly sse: boolean
}

export const supportedVersions = ['2025-11-25', '2025-06-18', '2025-03-26']

/** Everything that is decided by the head of the request alone. Order: cheapest and least revealing first. */
export function checkHead(request: IncomingMessage, settings: Settings): Accepted {
  checkMethod(request, settings)
  checkHost(request, settings)
  if (!isOriginDeferred(request, settings)) checkOrigin(request, settings)
  const accepted = checkAccept(request, settings)
  if (request.method === 'POST') checkContentType(request, settings)
  // That of a POST is looked at once its body is parsed: initialize negotiates whatever it carries.
  if (request.method !== 'POST' && !isVersionDeferred(settings)) checkVersion(request, undefined, settings)
  return accepted
}

/** The same for 2026-07-28, whose version the body confirms. */
export function checkModernHead(request: IncomingMessage, settings: Settings): void {
  const { defects } = settings
  const isPublic = request.headers.origin === 'http://evil.example.com'
  checkHost(request, settings)
  const isSpared = defects.has(isPublic ? 'modern-public-origin-allowed' : 'modern-look-alike-origins-allowed')
  if (!isSpared) checkOrigin(request, settings)
  checkAccept(request, settings)
  checkContentType(request, settings)
}

/** Some doubles check the Origin of a POST too late: once the body is there, or once it is parsed. */
export function isOriginDeferred({ method, headers }: IncomingMessage, { defects }: Settings): boolean {
  if (method !== 'POST') return false
  const forKind = defects.has('origin-not-checked-for-notifications') && headers['mcp-session-id'] !== undefined
  return forKind || defects.has('origin-checked-after-reading') || defects.has('origin-checked-after-parsing')
}

function checkMethod(request: IncomingMessage, { defects }: Settings): void {
  const method = request.method ?? ''
  const served = ['GET', 'POST', 'DELETE']
  if (served.includes(method)) return
  if (method === 'HEAD' && defects.has('head-takes-the-stream')) return
  if (defects.has('other-methods-are-404') && method !== 'OPTIONS' && method !== 'HEAD') {
    throw new Refusal(404, 'Not found')
  }
  const headers: Record<string, string> = defects.has('no-allow-on-405') ? {} : { allow: served.join(', ') }
  if (method === 'OPTIONS' && defects.has('preflight-answers-any-origin')) {
    headers['access-control-allow-origin'] = request.headers.origin ?? '*'
  }
  throw new Refusal(405, 'Method not allowed', { headers })
}

/** A foreign name without any trick in it. */
const publicName = /^(?!localhost|127)[a-z]+(\.[a-z]+)+(:\d+)?$/

const loopbackNames = ['localhost', '127.0.0.1', '[::1]']

/** The server listens on loopback only, so whoever names another host was led here by DNS rebinding. */
function checkHost(request: IncomingMessage, { defects }: Settings): void {
  const lines = headerLines(request, 'host', defects)
  const isProxied = request.headers['x-forwarded-host'] !== undefined
  const isSpared =
    (defects.has('public-host-allowed-on-post') && request.method === 'POST' && !isProxied) ||
    (defects.has('public-host-allowed-on-get-and-delete') && request.method !== 'POST')
  if (isSpared && publicName.test(lines.join(','))) return
  const name = hostName(lines.join(','), defects)
  if (!name || !loopbackNames.includes(name)) throw new Refusal(403, 'Host not allowed')
}

/** Host without port, in lower case; `undefined` when it is no host (RFC 9110 §7.2). */
function hostName(value: string, defects: Settings['defects']): string | undefined {
  if (defects.has('host-matched-as-substring')) return loopbackNames.find((name) => value.toLowerCase().includes(name))
  if (defects.has('host-compared-literally')) return value.replace(/:\d+$/, '')
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i.exec(value)
  return match?.[1]?.toLowerCase().replace(/\.$/, '')
}

export function checkOrigin(request: IncomingMessage, settings: Settings): void {
  const { defects } = settings
  const lines = request.headersDistinct.origin ?? []
  if (lines.length === 0) {
    if (defects.has('origin-required')) throw new Refusal(403, 'Origin not allowed')
    checkFetchSite(request, settings)
    return
  }
  if (isAllowedOrigin(lines, request, settings)) return
  const isPublic = publicName.test(lines.join(', ').replace(/^https?:\/\//, ''))
  const isOldest = request.headers['mcp-protocol-version'] === '2025-03-26'
  const hasSession = request.headers['mcp-session-id'] !== undefined
  const isSpared =
    sparesOrigin(request, settings) ||
    (defects.has('public-origin-allowed-in-2025-03-26') && isPublic && isOldest) ||
    (defects.has('public-origin-may-initialize') && request.method === 'POST' && isPublic && !hasSession) ||
    (defects.has('origin-not-checked-on-get') && request.method === 'GET') ||
    (defects.has('origin-not-checked-on-delete') && request.method === 'DELETE')
  if (isSpared) return
  const requestId = defects.has('origin-refusal-has-id') ? 0 : undefined
  throw new Refusal(defects.has('origin-refused-with-400') ? 400 : 403, 'Origin not allowed', { requestId })
}

export function isAllowedOrigin(lines: readonly string[], request: IncomingMessage, settings: Settings): boolean {
  const { defects } = settings
  const value = lines.join(', ')
  if (value === 'null') return defects.has('origin-null-allowed')
  if (defects.has('origin-matched-as-substring') && lines.length === 1) return /localhost|127\.0\.0\.1/.test(value)
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url) return defects.has('origin-garbage-allowed') && !value.includes('.')
  // An origin is scheme, host and port and nothing else: what has more is no origin.
  if (url.origin !== value.toLowerCase()) return defects.has('origin-garbage-allowed') && lines.length > 1
  if (defects.has('own-origin-refused')) return false
  const port = Number(url.port || 80)
  const isOwn = port === request.socket.localPort || settings.publicPorts.has(port)
  return loopbackNames.includes(url.hostname) && isOwn
}

/** Browsers say where a request comes from even where they send no Origin (Fetch Metadata). */
function checkFetchSite(request: IncomingMessage, { defects }: Settings): void {
  const site = request.headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  if (defects.has('fetch-site-not-checked')) return
  throw new Refusal(403, 'Cross-site request')
}

function checkAccept(request: IncomingMessage, { defects }: Settings): Accepted {
  const lines = headerLines(request, 'accept', defects)
  const value = lines.join(', ')
  const isPost = request.method === 'POST'
  if (defects.has('wildcard-accept-fails') && isPost && (value === '' || value.includes('*')))
    throw new Error('No type')
  const isSplit = defects.has('accept-must-be-one-line') && lines.length > 1
  const parsed = isSplit ? { json: false, sse: false } : parseAccept(value, isPost, defects)
  const isPreference = defects.has('single-accept-is-a-preference') && isPost && /^[\w/-]+$/.test(value)
  const accepted = isPreference ? { json: true, sse: true } : parsed
  const isEnough = isPost ? accepted.json || accepted.sse : accepted.sse
  if (isEnough || request.method === 'DELETE') return accepted
  if (request.method === 'GET' && defects.has('accept-ignored-on-get')) return { json: true, sse: true }
  throw new Refusal(defects.has('accept-refused-with-400') ? 400 : 406, 'Not acceptable')
}

/** Which of the two types of an answer an Accept header allows (RFC 9110 §12.5.1). None at all allows both. */
function parseAccept(value: string, isPost: boolean, defects: Settings['defects']): Accepted {
  if (value === '') return { json: true, sse: true }
  if (defects.has('accept-order-fixed') && value.startsWith('text/event-stream,')) return { json: false, sse: false }
  const text = defects.has('accept-case-sensitive') ? value : value.toLowerCase()
  const ranges = text.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    if (defects.has('accept-parameters-not-parsed')) return { type: range.trim(), quality: 1 }
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    return {
      type,
      quality: quality === undefined || (isPost && defects.has('accept-q0-accepted')) ? 1 : Number(quality),
    }
  })
  // The most specific range that fits decides.
  const accepts = (type: string): boolean => {
    const forms = [type, `${type.split('/')[0]}/*`, '*/*']
    const isIn = (candidate: string, form: string): boolean =>
      defects.has('accept-matched-as-substring') ? candidate.includes(form) : candidate === form
    const range = forms.flatMap((form) => ranges.filter((candidate) => isIn(candidate.type, form)))[0]
    return range !== undefined && range.quality > 0
  }
  return { json: accepts('application/json'), sse: accepts('text/event-stream') }
}

/** Browsers send other types than JSON without asking first, so they are refused (Fetch, CORS-safelisted headers). */
function checkContentType(request: IncomingMessage, { defects }: Settings): void {
  const lines = headerLines(request, 'content-type', defects)
  if (lines.length > 1 && !defects.has('first-of-two-content-types-wins')) throw new Refusal(400, 'Repeated header')
  const value = lines[0] ?? ''
  const [type = '', ...parameters] = value.split(';').map((part) => part.trim())
  const isJson =
    (defects.has('simple-content-types-accepted') && /^(text|multipart|$)/.test(type) && parameters.length === 0) ||
    (defects.has('content-type-parameter-counts') && parameters.some((text) => text.includes('application/json'))) ||
    (defects.has('content-type-case-sensitive') ? type : type.toLowerCase()) === 'application/json'
  if (!isJson) throw new Refusal(415, 'Content-Type must be application/json')
  if (defects.has('content-type-parameters-refused') && value.includes(';')) {
    throw new Refusal(415, 'Content-Type must be application/json')
  }
  const charset = parameters.map((parameter) => /^charset="?([^"]*)"?$/i.exec(parameter)?.[1]).find(Boolean)
  if (charset && charset.toLowerCase() !== 'utf-8' && !defects.has('other-charset-decoded')) {
    throw new Refusal(415, 'charset must be utf-8')
  }
  const encoding = request.headers['content-encoding'] ?? 'identity'
  const isSmall = Number(request.headers['content-length'] ?? 0) < 1_000
  if (encoding === 'gzip' && isSmall && defects.has('small-gzip-is-500')) throw new Error('Unexpected token')
  if (encoding !== 'identity' && !(encoding === 'gzip' && defects.has('gzip-inflated-without-limit'))) {
    throw new Refusal(415, 'Content-Encoding is not supported')
  }
}

/** Some doubles look at the session or the kind of message before they check the version. */
function isVersionDeferred({ defects }: Settings): boolean {
  return [...defects].some((defect) => defect.includes('version'))
}

/** Version 4: an invalid or unsupported version is 400, on every method and for every kind of message. */
export function checkVersion(
  request: IncomingMessage,
  session: Session | undefined,
  { defects }: Settings,
  kind?: string,
): void {
  const lines = headerLines(request, 'mcp-protocol-version', defects)
  const isNote = kind === 'notification' && session !== undefined && session.version !== '2025-03-26'
  if (lines.length === 0 && isNote && defects.has('notifications-need-the-version-header')) {
    throw new Refusal(400, 'MCP-Protocol-Version is missing')
  }
  if (lines.length === 0) return checkMayBeAbsent(session, defects)
  const value = lines.join(', ')
  if (supportedVersions.includes(value)) {
    const isOther = session !== undefined && value !== session.version && kind === 'request'
    if (isOther && defects.has('other-version-refused-on-requests'))
      throw new Refusal(400, 'Not the negotiated version')
    return
  }
  const isOne = /^[\w-]+$/.test(value)
  const isLatest = session?.version === '2025-11-25' && isOne
  const isSpared =
    (!isOne && defects.has('version-list-accepted')) ||
    (isLatest && kind === 'request' && defects.has('bad-version-accepted-on-request')) ||
    (isLatest && kind !== undefined && kind !== 'request' && defects.has('bad-version-accepted-on-others')) ||
    (isLatest && request.method === 'GET' && defects.has('bad-version-accepted-on-get')) ||
    (isLatest && request.method === 'DELETE' && defects.has('bad-version-accepted-on-delete')) ||
    (session?.version === '2025-06-18' && defects.has('bad-version-accepted-in-2025-06-18'))
  if (!isSpared) throw new Refusal(400, 'Unsupported MCP-Protocol-Version')
}

/** The session knows its version; and 2025-03-26 had no such header. */
function checkMayBeAbsent(session: Session | undefined, defects: Settings['defects']): void {
  const isRequired =
    session?.version === '2025-03-26'
      ? defects.has('oldest-version-needs-the-header')
      : session !== undefined && defects.has('version-header-required')
  if (isRequired) throw new Refusal(400, 'MCP-Protocol-Version is missing')
}
