import type { Exchange } from '../../client/exchange.ts'
import { isLoopback } from '../../client/target.ts'
import { type Judgement, note, ok, problem } from '../finding.ts'
import type { Wire } from '../wire.ts'

/** No page has it: the name cannot be registered (RFC 2606). */
export const foreignOrigin = 'https://probe.invalid'

const wantedHeaders = ['content-type', 'mcp-session-id', 'mcp-protocol-version', 'last-event-id']

export interface CrossOrigin {
  /** A greeting from a page of another origin. */
  readonly posted: Exchange
  /** What a browser asks before it. */
  readonly preflight: Exchange
}

export async function askFromElsewhere(wire: Wire): Promise<CrossOrigin> {
  const headMs = wire.timeoutMs
  const posted = await wire.greet({ Origin: foreignOrigin })
  posted.abort()
  const preflight = await wire.client.send('OPTIONS', {
    headers: {
      // A browser sends no credentials with it.
      Authorization: undefined,
      Origin: foreignOrigin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': wantedHeaders.join(','),
    },
    headMs,
  })
  preflight.abort()
  return { posted, preflight }
}

/** Whether a foreign origin reaches the server and is refused. */
export function judgeOrigin({ url, greeting }: Wire, { posted }: CrossOrigin): Judgement {
  const seen = `${greeting.method} with Origin: ${foreignOrigin} got ${posted.status}`
  if (posted.status === 403) return ok(`${seen}: the header arrives, and the origin is refused.`)
  if (!posted.ok)
    return note(`${seen}, expected 403.`, 'It is refused, though not for the reason that the specification gives.')
  if (isLoopback(url.hostname)) {
    return problem(
      `${seen}, expected 403: the header is lost on the way to the server, or the server does not check it. Probe the server itself to tell which.`,
    )
  }
  return note(
    `${seen}: the header is lost on the way to the server, or the server serves every origin.`,
    'Right for a public server that asks each request for a token. A server that trusts its network must refuse pages of other origins with 403, and for that Origin has to arrive.',
  )
}

/** Access-Control headers: whose they are, and whether they are enough for a web client. */
export function judgeCors({ state }: Wire, { posted, preflight }: CrossOrigin): Judgement {
  const allowed = posted.headerValues('access-control-allow-origin')
  const preflightAllowed = preflight.headerValues('access-control-allow-origin')
  const seen = `A page of another origin: POST got ${posted.status} with ${toHeader(allowed)}, the preflight got ${preflight.status} with ${toHeader(preflightAllowed)}.`
  if ([allowed, preflightAllowed].some((values) => values.length > 1 || values.some((value) => value.includes(',')))) {
    return problem(
      seen,
      'More than one Access-Control-Allow-Origin: browsers refuse that answer. The server and something in front of it both add CORS headers; only one may.',
    )
  }
  const isOpen = [allowed, preflightAllowed].some(opensTo)
  if (posted.status === 403 && isOpen) return problem(seen)
  if (!posted.ok || !isOpen) return ok(`${seen} Pages of other origins cannot read answers.`)
  const missing = findMissing(posted, preflight, state === 'kept')
  if (missing.length > 0) {
    return problem(
      `${seen} Missing: ${missing.join('; ')}.`,
      'A web client of another origin is let in and then cannot work: the browser keeps from it, or does not send, what is missing.',
    )
  }
  return note(seen, 'A page of any origin can call this server from the browser of whoever can reach it.')
}

function opensTo(values: readonly string[]): boolean {
  return values.some((value) => value === '*' || value === foreignOrigin)
}

function findMissing(posted: Exchange, preflight: Exchange, hasSessions: boolean): string[] {
  const missing: string[] = []
  const list = (exchange: Exchange, name: string) =>
    (exchange.header(name) ?? '').split(',').map((part) => part.trim().toLowerCase())
  const has = (values: readonly string[], name: string) => values.includes(name) || values.includes('*')
  if (!opensTo(posted.headerValues('access-control-allow-origin'))) missing.push('Access-Control-Allow-Origin on POST')
  if (!opensTo(preflight.headerValues('access-control-allow-origin')) || !preflight.ok) missing.push('the preflight')
  const exposed = list(posted, 'access-control-expose-headers')
  if (hasSessions && !has(exposed, 'mcp-session-id')) missing.push('Mcp-Session-Id in Access-Control-Expose-Headers')
  const headers = list(preflight, 'access-control-allow-headers')
  const lacking = wantedHeaders.filter((name) => !has(headers, name))
  if (lacking.length > 0) missing.push(`${lacking.join(', ')} in Access-Control-Allow-Headers`)
  return missing
}

function toHeader(values: readonly string[]): string {
  return values.length === 0 ? 'no Access-Control-Allow-Origin' : `Access-Control-Allow-Origin: ${values.join(' and ')}`
}
