import { type AllowedOrigins, isAllowed } from './allowed-origins.ts'
import { Rejection } from './errors.ts'
import { type HostName, isLoopbackAddress, isLoopbackHost, type Origin, readHost, readOrigin } from './host-name.ts'
import type { HttpRequest } from './http.ts'
import { type Acceptable, isJson } from './media-types.ts'
import type { ContentHead, RequestHead } from './request-head.ts'

export interface CallerOptions {
  readonly allowedHosts: readonly HostName[]
  readonly allowedOrigins: AllowedOrigins
}

export interface GuardOptions extends CallerOptions {
  /** Methods that the era answers. */
  readonly methods: readonly string[]
  readonly maxBodyBytes: number
  readonly response: 'auto' | 'sse' | 'json'
}

/**
 * Refuses by the head of a request alone, cheapest and least revealing first. A request refused here has created, read
 * and changed nothing: no byte of its body was looked at.
 */
export function guard(request: HttpRequest, head: RequestHead, options: GuardOptions): void {
  const { methods } = options
  const { method, acceptable, content } = head
  if (!methods.includes(method)) throw new Rejection('method_not_allowed', { headers: { allow: methods.join(', ') } })
  checkCaller(request, head, options)
  if (content) checkContent(content, acceptable, request, options)
  else if (method === 'GET' && !acceptable.eventStream) throw new Rejection('not_acceptable')
}

/** Refuses what a web page sends that is not allowed to, whatever it asks for. */
export function checkCaller(request: HttpRequest, head: RequestHead, options: CallerOptions): void {
  checkOrigin(head, checkHost(request, head, options), options)
}

/**
 * A web page whose name was rebound to 127.0.0.1 still sends its own name as Host. So a request that arrives on a
 * loopback address must name a host that is known. Returns the Host when it is a known one.
 */
function checkHost(request: HttpRequest, head: RequestHead, { allowedHosts }: CallerOptions): HostName | undefined {
  if (head.hostCount > 1) throw new Rejection('repeated_header')
  const host = readHost(head.host ?? '')
  const known = host !== undefined && (isLoopbackHost(host) || allowedHosts.some((entry) => isSameHost(entry, host)))
  if (known) return host
  if (request.localAddress === undefined || !isLoopbackAddress(request.localAddress)) return undefined
  throw new Rejection('host_not_allowed', {
    message: `Host not allowed: ${quote(head.host)} came to a loopback address; if it names this server, list it in allowedHosts`,
  })
}

/** An entry without a port stands for every port. */
function isSameHost(entry: HostName, host: HostName): boolean {
  return entry.host === host.host && (entry.port === '' || entry.port === host.port)
}

/**
 * Browsers name the page that sends a request (Transports, Security Warning 1). Without Origin and Sec-Fetch-Site
 * it is none.
 */
function checkOrigin(head: RequestHead, knownHost: HostName | undefined, options: CallerOptions): void {
  const { origin: header, site } = head
  if (options.allowedOrigins === '*') return
  if (header === undefined) return checkSite(head, knownHost)
  const origin = readOrigin(header)
  const crossSite = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (origin && !crossSite && knownHost && isOwnOrigin(origin, knownHost)) return
  if (origin && isAllowed(origin, options.allowedOrigins)) return
  const advice = origin
    ? '; list it in allowedOrigins, or, if it is this server, its host in allowedHosts'
    : ' names no website that allowedOrigins could list'
  throw new Rejection('origin_not_allowed', { message: `Origin not allowed: ${quote(header)}${advice}` })
}

/** A same-origin GET carries no Origin; on a rebound page it looks the same, so the host must be known. */
function checkSite({ site, host }: RequestHead, knownHost: HostName | undefined): void {
  if (site === undefined || site === 'none' || (site === 'same-origin' && knownHost)) return
  if (site === 'same-origin') {
    throw new Rejection('host_not_allowed', {
      message: `Host not allowed: ${quote(host)} must be listed in allowedHosts before its own pages may call this server`,
    })
  }
  throw new Rejection('site_not_allowed', {
    message: `Page not allowed: Sec-Fetch-Site is ${quote(site)}, and there is no Origin that could be listed in allowedOrigins; browsers send one with every POST, unless a proxy takes it away`,
  })
}

/** What came, as far as it does no harm in a terminal or a log. */
function quote(value = ''): string {
  return `"${value.slice(0, 100).replaceAll(/[^ -~]/g, '?')}"`
}

/** Behind a proxy that ends TLS the scheme is not ours to know, so both are own. Loopback names are one host. */
function isOwnOrigin({ scheme, name }: Origin, host: HostName): boolean {
  if (scheme !== 'http' && scheme !== 'https') return false
  const port = host.port === (scheme === 'https' ? '443' : '80') ? '' : host.port
  return name.port === port && (name.host === host.host || (isLoopbackHost(name) && isLoopbackHost(host)))
}

function checkContent(
  content: ContentHead,
  acceptable: Acceptable,
  { parsedBody }: HttpRequest,
  { response, maxBodyBytes }: GuardOptions,
): void {
  // text/plain and form types need no CORS preflight: a web page could send them anywhere.
  if (content.typeCount > 1) throw new Rejection('repeated_header')
  const isEncoded = (content.coding ?? 'identity').toLowerCase() !== 'identity' && parsedBody === undefined
  if (!isJson(content.type) || isEncoded) throw new Rejection('unsupported_media_type')
  const json = acceptable.json && response !== 'sse'
  const eventStream = acceptable.eventStream && response !== 'json'
  if (!json && !eventStream) throw new Rejection('not_acceptable')
  if (content.length > maxBodyBytes) throw new Rejection('body_too_large')
}
