import type { Exchange } from '../../client/exchange.ts'
import { TimeLimit } from '../../client/waiting.ts'
import { type Judgement, note, ok, problem, untestable } from '../finding.ts'
import { toTime, unusable, type Wire } from '../wire.ts'
import { cameTogether, describeSpread, gzippedArrivalsOf, spreadOf } from './arrivals.ts'

const accepted = { 'Accept-Encoding': 'gzip' }

/** As for buffering: one look can be wrong on a busy machine. */
const attempts = 3

/** Whether event streams are compressed, and whether that holds events back. */
export async function probeCompression(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  return wire.hasProgress ? await lookAtCall(wire) : await lookAtStandalone(wire)
}

async function lookAtCall(wire: Wire): Promise<Judgement> {
  let seen = ''
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const { exchange } = await wire.callWithProgress(accepted)
    // Only its end is waited for: where it is compressed, the response in it cannot be read on the way.
    await exchange.bytes(wire.timeoutMs)
    if (!exchange.isEventStream) return untestable(`A call with progress got ${exchange.contentType}, no events.`)
    const encoding = encodingOf(exchange)
    if (encoding === undefined) return plain('A call with progress')
    if (encoding !== 'gzip') return note(`${asked('A call with progress')} got Content-Encoding: ${encoding}.`)
    const spread = spreadOf(gzippedArrivalsOf(exchange))
    seen = `${asked('A call with progress')} got Content-Encoding: gzip, and ${describeSpread(spread)}.`
    if (!cameTogether(spread))
      return note(
        seen,
        'Events come in time, so that it does no harm. It costs the hop memory for each open stream, and saves little: events are small.',
      )
  }
  return problem(`${seen} So it was ${attempts} times: the compression holds events back.`)
}

async function lookAtStandalone(wire: Wire): Promise<Judgement> {
  try {
    const exchange = await wire.openStream(accepted)
    exchange.abort()
    if (!exchange.isEventStream)
      return untestable(`${wire.opening} got ${exchange.status}: there are no events to look at.`)
    const encoding = encodingOf(exchange)
    if (encoding === undefined) return plain(wire.opening)
    return note(
      `${asked(wire.opening)} got Content-Encoding: ${encoding}. Whether that holds events back shows only with a tool that reports progress (--tool progress=NAME).`,
    )
  } catch (error) {
    if (!(error instanceof TimeLimit)) throw error
    return untestable(`${asked(wire.opening)} got no head within ${toTime(wire.timeoutMs)}.`)
  }
}

function plain(what: string): Judgement {
  return ok(`${asked(what)} got an event stream that is not compressed.`)
}

function asked(what: string): string {
  return `${what} with Accept-Encoding: gzip`
}

function encodingOf(exchange: Exchange): string | undefined {
  const encoding = exchange.header('content-encoding')?.toLowerCase()
  return encoding === 'identity' ? undefined : encoding
}
