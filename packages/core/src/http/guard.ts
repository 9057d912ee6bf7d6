import { Rejection } from './errors.ts'
import { type HostName, isLoopbackAddress, isLoopbackHost, type Origin, readHost, readOrigin } from './host-name.ts'
import type { HttpRequest } from './http.ts'
import { type Acceptable, isJson, readAccept } from './media-types.ts'

export interface GuardOptions {
  /** What the endpoint answers. */
  readonly methods: readonly string[]
  readonly allowedHosts: readonly HostName[]
  readonly allowedOrigins: ReadonlySet<string>
  readonly maxBodyBytes: number
  readonly response: 'auto' | 'sse' | 'json'
}

/**
 * What can be refused by the head of a request alone, cheapest and least revealing first. A request refused here
 * has created, read and changed nothing: no byte of its body was looked at.
 */
export function guard(request: HttpRequest, options: GuardOptions): Acceptable {
  checkMethod(request, options)
  checkOrigin(request, checkHost(request, options), options)
  const acceptable = readAccept(request.header('accept'))
  if (request.method === 'POST') checkPost(request, acceptable, options)
  else if (request.method === 'GET' && !acceptable.eventStream) throw new Rejection('not_acceptable')
  return acceptable
}

function checkMethod({ method }: HttpRequest, { methods }: GuardOptions): void {
  if (!methods.includes(method)) throw new Rejection('method_not_allowed', { headers: { allow: methods.join(', ') } })
}

/**
 * A web page whose name was rebound to 127.0.0.1 still sends its own name as Host. So a connection on a loopback
 * address must name a host that is known. Returns the Host when it is a known one.
 */
function checkHost(request: HttpRequest, { allowedHosts }: GuardOptions): HostName | undefined {
  if (request.headerCount('host') > 1) throw new Rejection('repeated_header')
  const host = readHost(request.header('host') ?? '')
  const known = host !== undefined && (isLoopbackHost(host) || allowedHosts.some((entry) => isSameHost(entry, host)))
  if (known) return host
  if (request.localAddress !== undefined && isLoopbackAddress(request.localAddress)) {
    throw new Rejection('host_not_allowed')
  }
  return undefined
}

/** An entry without a port stands for every port. */
function isSameHost(entry: HostName, host: HostName): boolean {
  return entry.host === host.host && (entry.port === '' || entry.port === host.port)
}

/**
 * Browsers name the page that sends a request (Transports, Security Warning 1). No Origin and no Sec-Fetch-Site: no browser.
 */
function checkOrigin(request: HttpRequest, knownHost: HostName | undefined, options: GuardOptions): void {
  const header = request.header('origin')
  const site = request.header('sec-fetch-site')
  if (header === undefined) {
    // A same-origin GET carries no Origin; on a rebound page it looks the same, so the host must be known.
    if (site === undefined || site === 'none' || (site === 'same-origin' && knownHost)) return
    throw new Rejection('origin_not_allowed')
  }
  const origin = readOrigin(header)
  if (origin && options.allowedOrigins.has(origin.text)) return
  const crossSite = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (!origin || crossSite || !knownHost || !isOwnOrigin(origin, knownHost)) throw new Rejection('origin_not_allowed')
}

/** Behind a proxy that ends TLS the scheme is not ours to know, so both are own. Loopback names are one host. */
function isOwnOrigin({ scheme, name }: Origin, host: HostName): boolean {
  if (scheme !== 'http' && scheme !== 'https') return false
  const port = host.port === (scheme === 'https' ? '443' : '80') ? '' : host.port
  return name.port === port && (name.host === host.host || (isLoopbackHost(name) && isLoopbackHost(host)))
}

function checkPost(request: HttpRequest, acceptable: Acceptable, options: GuardOptions): void {
  // text/plain and form types need no CORS preflight: a web page could send them anywhere.
  if (request.headerCount('content-type') > 1) throw new Rejection('repeated_header')
  const coding = request.header('content-encoding') ?? 'identity'
  const encoded = coding.toLowerCase() !== 'identity' && request.parsedBody === undefined
  if (!isJson(request.header('content-type')) || encoded) throw new Rejection('unsupported_media_type')
  const json = acceptable.json && options.response !== 'sse'
  const eventStream = acceptable.eventStream && options.response !== 'json'
  if (!json && !eventStream) throw new Rejection('not_acceptable')
  if (Number(request.header('content-length') ?? 0) > options.maxBodyBytes) throw new Rejection('body_too_large')
}
