import type { Exchange } from '../../client/exchange.ts'
import { responseIn } from '../../client/session.ts'
import { TimeLimit } from '../../client/waiting.ts'
import { type Judgement, note, ok, problem, untestable } from '../finding.ts'
import { toTime, unusable, type Wire } from '../wire.ts'
import { arrivalsOf, cameTogether, describeSpread, spreadOf } from './arrivals.ts'

/** A busy client can read events together that came apart; hardly several times in a row. */
const attempts = 3

/** How long the first bytes of the standalone stream are waited for, once its head is there. */
const firstBytesMs = 1_000

/** Whether events come as they are sent: on the answer to a call, and on the standalone stream. */
export async function probeBuffering(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  const call = wire.hasProgress ? await lookAtCall(wire) : untestable('There is no tool that reports progress.')
  const standalone = await lookAtStandalone(wire)
  const seen = `${call.seen} ${standalone.judgement.seen}`
  const verdicts = [call.verdict, standalone.judgement.verdict]
  if (call.verdict === 'problem' && standalone.releasesEarly) return note(seen, delayed)
  if (verdicts.includes('problem')) return problem(seen)
  if (verdicts.includes('ok')) return ok(seen)
  return untestable(`${seen} Needs a tool that reports progress (--tool progress=NAME) or a stream on GET.`)
}

const delayed =
  'Bytes of a stream that is still open do come, so that nothing is held back for good; but events that are sent soon after each other come in one piece, late by a fraction of a second.'

async function lookAtCall(wire: Wire): Promise<Judgement> {
  let seen = ''
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const { exchange, id } = await wire.callWithProgress()
    await responseIn(exchange, id, wire.timeoutMs)
    if (!exchange.isEventStream) return untestable(`A call with progress got ${exchange.contentType}, no events.`)
    const spread = spreadOf(arrivalsOf(exchange))
    seen = `In a call with progress ${describeSpread(spread)}.`
    if (!cameTogether(spread)) return (spread.events < 3 ? untestable : ok)(`${seen} ${describeHint(exchange)}`)
  }
  return problem(`${seen} So it was ${attempts} times.`)
}

function describeHint(exchange: Exchange): string {
  const hint = exchange.header('x-accel-buffering')
  return hint === undefined
    ? 'X-Accel-Buffering is not there: the server does not send it, or a hop such as nginx took it for itself.'
    : `X-Accel-Buffering: ${hint} is there.`
}

interface Standalone {
  readonly judgement: Judgement
  /** Bytes came while the stream was open. */
  readonly releasesEarly: boolean
}

async function lookAtStandalone(wire: Wire): Promise<Standalone> {
  try {
    const exchange = await wire.openStream()
    const hasBytes = exchange.isEventStream && (await exchange.stream.firstByte(firstBytesMs))
    exchange.abort()
    return { judgement: judgeHead(exchange, wire), releasesEarly: hasBytes }
  } catch (error) {
    if (!(error instanceof TimeLimit)) throw error
    const limit = toTime(wire.timeoutMs)
    const seen = `The head of the standalone stream did not come within ${limit}: it is held back on the way, or the server sends it with the first event.`
    return { judgement: problem(seen), releasesEarly: false }
  }
}

function judgeHead(exchange: Exchange, { opening }: Wire): Judgement {
  if (!exchange.isEventStream) return untestable(`${opening} got ${exchange.status}: there is no standalone stream.`)
  return ok(`The head of the standalone stream came after ${toTime(exchange.headAt - exchange.startedAt)}.`)
}
