import { type Judgement, note, ok, problem } from '../finding.ts'
import type { Wire } from '../wire.ts'
import type { Handshake } from './tls.ts'

/** What HTTP the client's side may speak. */
export function judgeHttpVersion({ first }: Wire, handshake: Handshake | undefined): Judgement {
  const altSvc = first.header('alt-svc')
  const more = altSvc === undefined ? '' : ` Alt-Svc offers ${altSvc}.`
  if (first.httpVersion === '1.0') {
    return problem(`An HTTP/1.1 request was answered with HTTP/1.0.${more}`)
  }
  if (handshake === undefined) {
    return ok(
      `HTTP/${first.httpVersion} without TLS. HTTP/2 without TLS (h2c) was not asked for: MCP clients do not.${more}`,
    )
  }
  if (handshake.alpn === 'h2') return ok(`ALPN chose h2 of h2 and http/1.1; HTTP/1.1 is answered too.${more}`)
  return note(
    `ALPN chose ${handshake.alpn ?? 'nothing'} of h2 and http/1.1: no HTTP/2.${more}`,
    'Everything works. A browser opens at most six HTTP/1.1 connections to an origin, and each open event stream holds one: a page with several sessions runs out of them.',
  )
}
