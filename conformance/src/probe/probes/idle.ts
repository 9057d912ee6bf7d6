import type { Exchange } from '../../client/exchange.ts'
import { TimeLimit } from '../../client/waiting.ts'
import { type Judgement, note, ok, problem, untestable } from '../finding.ts'
import { toTime, unusable, type Wire } from '../wire.ts'

/** What nginx and AWS ALB allow of silence by default, the least among common hops. */
export const usualCutMs = 60_000

/** A stream on which something comes this often is not silent for any common hop. */
const aliveMs = usualCutMs / 2

/** Keeps a silent stream open for `idleMs`, and sees whether it lasts. */
export async function probeIdle(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  const startedAt = performance.now()
  const exchange = await open(wire).catch((error: Error) => error)
  const waitedMs = performance.now() - startedAt
  if (exchange instanceof Error) return judgeHeld(exchange, waitedMs)
  if (gaveUp.includes(exchange.status) && waitedMs >= longOpeningMs) {
    return problem(
      `${wire.opening} got ${exchange.status} after ${toTime(waitedMs)}: a hop waited for the head of the stream and gave up. ${heldBack}`,
    )
  }
  if (!exchange.isEventStream)
    return untestable(`${wire.opening} got ${exchange.status}: there is no standalone stream.`)
  const ended = await exchange.stream.endsWithin(wire.idleMs)
  const silence = silenceOf(exchange)
  const judgement = ended ? judgeEnd(exchange, silence) : judgeOpen(wire.idleMs, silence)
  exchange.abort()
  return judgement
}

/** Where the head is held back too, the silence of the stream is that before its head. */
async function open(wire: Wire): Promise<Exchange> {
  return await wire.openStream({}, Math.max(wire.timeoutMs, wire.idleMs))
}

/** Of a hop that waited too long for the server. */
const gaveUp = [502, 503, 504]

/** What is refused at once was not waited for. */
const longOpeningMs = 500

const heldBack = 'It holds the stream back (see buffering), so that comment lines of the server do not keep it open.'

/** No head came: the time ran out, or the connection broke. */
function judgeHeld(error: Error, waitedMs: number): Judgement {
  const came = `The head of the standalone stream did not come within ${toTime(waitedMs)}: it is held back on the way`
  if (!(error instanceof TimeLimit)) {
    if (waitedMs < longOpeningMs) throw error
    return problem(
      `The connection was cut after ${toTime(waitedMs)}, before anything of the standalone stream came. ${heldBack}`,
    )
  }
  if (waitedMs < usualCutMs) {
    return untestable(`${came} (see buffering). What cuts it off shows when it is waited for: --idle 120s.`)
  }
  return note(`${came}, and the connection was not cut meanwhile.`, 'Nothing of the stream comes: see buffering.')
}

interface Silence {
  /** How often something came, the head of the stream and what came right with it left out. */
  readonly times: number
  readonly longestMs: number
  /** Since the last byte. */
  readonly lastMs: number
}

/** What comes so soon belongs to the opening of the stream. */
const openingMs = 50

function silenceOf({ stream, headAt, endedAt }: Exchange): Silence {
  const end = endedAt ?? performance.now()
  const arrivals = stream.chunks.map(({ at }) => at).filter((at) => at <= end)
  const times = [headAt, ...arrivals, end]
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
  return {
    times: arrivals.filter((at) => at - headAt > openingMs).length,
    longestMs: Math.max(...gaps),
    lastMs: gaps.at(-1) ?? 0,
  }
}

function judgeEnd(exchange: Exchange, { lastMs }: Silence): Judgement {
  const age = toTime((exchange.endedAt ?? performance.now()) - exchange.headAt)
  const seen = `The standalone stream ended after ${age}, ${toTime(lastMs)} after the last byte on it`
  if (exchange.failure === undefined && hasEndMark(exchange)) {
    return note(
      `${seen}. It ended cleanly: the server does that, not a hop.`,
      'Clients open the stream again. Each time costs a request, and without resumption what is sent in between is lost.',
    )
  }
  return problem(`${seen}. The connection was cut.`)
}

/** Whether the body says itself where it ends; without that, an end and a cut look the same. */
function hasEndMark(exchange: Exchange): boolean {
  return /chunked/i.test(exchange.header('transfer-encoding') ?? '')
}

function judgeOpen(idleMs: number, { times, longestMs }: Silence): Judgement {
  const open = `The standalone stream was open after ${toTime(idleMs)}`
  if (times >= 2 && longestMs <= aliveMs) {
    return ok(
      `${open}. Something came on it ${times} times, never more than ${toTime(longestMs)} apart: no common hop cuts that off.`,
    )
  }
  if (idleMs >= usualCutMs) return ok(`${open}, with up to ${toTime(longestMs)} of silence.`)
  return note(
    `${open}, with up to ${toTime(longestMs)} of silence. Longer was not waited for: --idle 120s does.`,
    'nginx and AWS ALB cut off after 60 s of silence by default, Cloudflare after 120 s; Google Cloud LB ends each answer after 30 s. Of clients, Cursor cuts off after 10 s. A server that sends a comment line every 8 s is safe from all but the load balancer of Google.',
  )
}
