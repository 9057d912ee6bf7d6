/** A host as named by a Host header, an origin or an option. `port` is empty where none is named. */
export interface HostName {
  readonly host: string
  readonly port: string
}

// Host or [IPv6], optional port. No user info, no path, no spaces: whatever is odd is no name we know.
const hostGrammar = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/

/** The last text that {@link readHost} parsed: nearly every request names the same host. */
let lastText = ''
let lastHost: HostName | undefined

/** Lower-cased, without a trailing dot; `undefined` when it is not of the grammar (RFC 9110 §7.2). */
export function readHost(text: string): HostName | undefined {
  if (text !== lastText) {
    lastHost = parseHost(text)
    lastText = text
  }
  return lastHost
}

function parseHost(text: string): HostName | undefined {
  const parts = text.length > 260 ? null : hostGrammar.exec(text.toLowerCase())
  if (!parts?.[1]) return undefined
  const host = parts[1].endsWith('.') ? parts[1].slice(0, -1) : parts[1]
  return host === '' ? undefined : { host, port: parts[2] ?? '' }
}

/** The names a machine has for itself. No web page can be served from them by DNS rebinding. */
export function isLoopbackHost({ host }: HostName): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/** Whether a socket address is the loopback interface, also as IPv4 in IPv6. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

export interface Origin {
  readonly scheme: string
  readonly name: HostName
  /** Lower-cased, without the scheme's default port: comparable. */
  readonly text: string
}

/** A serialized origin (RFC 6454 §6.2): scheme, host, port and nothing else. For `null` and all else `undefined`. */
export function readOrigin(text: string): Origin | undefined {
  const separator = text.indexOf('://')
  const scheme = text.slice(0, Math.max(separator, 0)).toLowerCase()
  if (!/^[a-z][a-z0-9+.-]{0,31}$/.test(scheme)) return undefined
  const name = readHost(text.slice(separator + 3))
  if (!name) return undefined
  const port = name.port === defaultPort(scheme) ? '' : name.port
  return { scheme, name: { host: name.host, port }, text: `${scheme}://${name.host}${port && `:${port}`}` }
}

function defaultPort(scheme: string): string {
  return scheme === 'https' ? '443' : scheme === 'http' ? '80' : ''
}
