import type { Exchange } from '../../client/exchange.ts'
import { HttpClient } from '../../client/http.ts'
import { describeStep, type Step, toStep } from '../enter.ts'
import { type Judgement, note, ok, problem } from '../finding.ts'
import { endSession, type Wire } from '../wire.ts'

const plainHttpMs = 3_000

/** Whether the URL itself, its other spelling and its plain-http twin redirect. */
export async function probeRedirects(wire: Wire, steps: readonly Step[]): Promise<Judgement> {
  const own = judgeSteps(steps)
  const spelling = await lookAtSpelling(wire)
  const plain = await lookAtPlainHttp(wire)
  const all = [own, spelling, plain].filter((judgement) => judgement !== undefined)
  const worst = all.find(({ verdict }) => verdict === 'problem') ?? all.find(({ verdict }) => verdict === 'note') ?? own
  return { ...worst, seen: all.map(({ seen }) => seen).join(' ') }
}

/** Also where the way ends at no MCP server. */
export function judgeSteps(steps: readonly Step[]): Judgement {
  if (steps.length === 0) return ok('The URL answers itself.')
  const seen = `${steps.map(describeStep).join(', then ')}.`
  if (steps.some(({ from, to }) => from.protocol === 'https:' && to.protocol === 'http:')) {
    return problem(seen, 'The redirect leads from https to http: tokens and answers would travel in plain text.')
  }
  if (!steps.every(keepsPost)) return problem(seen)
  return note(
    seen,
    'Clients that follow redirects pay a round trip per request; some do not follow, and fetch drops Authorization on the way to another origin.',
  )
}

/** 307 and 308 keep method and body; 301, 302 and 303 turn a POST into a GET in fetch. */
function keepsPost({ status }: Step): boolean {
  return status === 307 || status === 308
}

/** `/mcp/` for `/mcp`, and the other way round. */
async function lookAtSpelling(wire: Wire): Promise<Judgement | undefined> {
  const other = new URL(wire.url)
  if (other.pathname === '/') return undefined
  other.pathname = other.pathname.endsWith('/') ? other.pathname.slice(0, -1) : `${other.pathname}/`
  const exchange = await greetAt(wire, other, wire.timeoutMs)
  const step = toStep(other, exchange)
  if (step === undefined) return ok(`${other.pathname} is answered with ${exchange.status}.`)
  const seen = `${describeStep(step)}.`
  if (other.protocol === 'https:' && step.to.protocol === 'http:') {
    return note(seen, 'Who is given the other spelling of the path is led from https to http.')
  }
  return keepsPost(step) ? ok(seen) : note(seen, 'Who is given the other spelling of the path sends its POST as a GET.')
}

/** What is at port 80 of a URL that begins with https. */
async function lookAtPlainHttp(wire: Wire): Promise<Judgement | undefined> {
  if (wire.url.protocol !== 'https:' || wire.url.port !== '') return undefined
  const plain = new URL(wire.url)
  plain.protocol = 'http:'
  // No connection at all is the best answer there is.
  const exchange = await greetAt(wire, plain, plainHttpMs).catch(() => undefined)
  if (exchange === undefined) return ok('Plain http is not answered.')
  const step = toStep(plain, exchange)
  if (step !== undefined) return ok(`${describeStep(step)}.`)
  if (!exchange.ok) return ok(`Plain http is answered with ${exchange.status}.`)
  return problem(
    `Plain http is served too: ${wire.greeting.method} at ${plain.href} got ${exchange.status}.`,
    'Tokens and answers travel in plain text when a client is given the URL with http.',
  )
}

/** Without credentials and other headers of the user: who knows who answers there, and over plain http who listens. */
async function greetAt(wire: Wire, url: URL, headMs: number): Promise<Exchange> {
  const client = new HttpClient(url, wire.client.transcript)
  try {
    const { greeting } = wire
    const options = { body: greeting.message(), headers: greeting.headers(), headMs }
    const exchange = await client.send('POST', options)
    exchange.abort()
    await endSession(client, exchange.header('mcp-session-id'))
    return exchange
  } finally {
    client.close()
  }
}
