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
  const exchange = await listen(wire)
  if (exchange === undefined) return untestable(`The standalone stream did not open within ${toTime(wire.timeoutMs)}.`)
  if (!exchange.isEventStream) return untestable(`GET got ${exchange.status}: there is no standalone stream.`)
  const ended = await exchange.stream.endsWithin(wire.idleMs)
  const silence = silenceOf(exchange)
  const judgement = ended ? judgeEnd(exchange, silence) : judgeOpen(wire.idleMs, silence)
  exchange.abort()
  return judgement
}

async function listen(wire: Wire): Promise<Exchange | undefined> {
  try {
    return await wire.listen(await wire.open())
  } catch (error) {
    if (error instanceof TimeLimit) return undefined
    throw error
  }
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
