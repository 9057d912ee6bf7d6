import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { isLoopback } from '../../client/target.ts'
import { TimeLimit, within } from '../../client/waiting.ts'
import { type Judgement, note, ok, problem, untestable } from '../finding.ts'

/** What a handshake came to. */
export interface Handshake {
  /** `TLSv1.3` */
  readonly protocol: string | null
  /** Why the certificate is not trusted; `undefined` when it is. */
  readonly distrust: string | undefined
  readonly validTo: Date | undefined
  /** Chosen of `h2` and `http/1.1`; `undefined` when the server takes no part in ALPN. */
  readonly alpn: string | undefined
}

const dayMs = 86_400_000
const soonDays = 14

/** Shakes hands whatever the certificate is, so that it can be said what is wrong with it. */
export async function shakeHands(url: URL, timeoutMs: number): Promise<Handshake> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isName = !/^[\d.]+$|:/.test(host)
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...(isName ? { servername: host } : {}),
    ALPNProtocols: ['h2', 'http/1.1'],
    rejectUnauthorized: false,
  })
  try {
    const ready = new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject)
    })
    await within(ready, timeoutMs, 'The TLS handshake')
    return toHandshake(socket)
  } finally {
    socket.destroy()
  }
}

function toHandshake(socket: TLSSocket): Handshake {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate()
  const validTo = certificate.valid_to === undefined ? undefined : new Date(certificate.valid_to)
  const { alpnProtocol, authorized } = socket
  return {
    protocol: socket.getProtocol(),
    distrust: authorized ? undefined : String(socket.authorizationError),
    validTo,
    alpn: typeof alpnProtocol === 'string' ? alpnProtocol : undefined,
  }
}

/** Of a URL that begins with http. */
export function judgePlain(url: URL): Judgement {
  if (isLoopback(url.hostname)) return untestable('Plain http on a loopback address: there is no TLS to look at.')
  return note('The URL begins with http: there is no TLS on this way.')
}

export function judgeTls({ protocol, distrust, validTo }: Handshake, now = Date.now()): Judgement {
  const days = validTo === undefined ? undefined : Math.floor((validTo.getTime() - now) / dayMs)
  const lasting = days === undefined ? '' : `, the certificate is valid for ${days} more days`
  if (distrust !== undefined) {
    return problem(`${protocol}, but the certificate is not trusted: ${distrust}.`)
  }
  const seen = `${protocol}${lasting}.`
  if (protocol === 'TLSv1' || protocol === 'TLSv1.1') {
    return problem(seen, 'Clients of today refuse TLS before 1.2.')
  }
  if (days !== undefined && days < soonDays) {
    return note(seen, 'Once the certificate has run out no client connects. Is it renewed by itself?')
  }
  return ok(seen)
}

export function describeHandshakeError(error: unknown): Judgement {
  const reason = error instanceof TimeLimit ? error.message : ((error as NodeJS.ErrnoException).code ?? String(error))
  return problem(`The TLS handshake failed: ${reason}.`)
}
