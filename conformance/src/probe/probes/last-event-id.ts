import type { Exchange } from '../../client/exchange.ts'
import { responseIn } from '../../client/session.ts'
import { type Judgement, ok, problem, untestable } from '../finding.ts'
import { modernGreeting } from '../greeting.ts'
import { unusable, type Wire } from '../wire.ts'

const noSuchEvent = 'no-such-event'

/** `Last-Event-ID`: with the id of an early event the later ones must come again. */
export async function probeLastEventId(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  if (wire.greeting === modernGreeting)
    return untestable('Revision 2026-07-28 has no Last-Event-ID: nothing is resumed.')
  if (!wire.hasProgress) return await compareWithNone(wire, 'There is no tool that reports progress.')
  const { session, exchange, id } = await wire.callWithProgress()
  if (session === undefined || !exchange.isEventStream)
    return await compareWithNone(wire, 'A call with progress is not answered with events.')
  await responseIn(exchange, id, wire.timeoutMs)
  const ids = exchange.stream.blocks.flatMap(({ id: eventId }) => (eventId ? [eventId] : []))
  const [first] = ids
  if (first === undefined || ids.length < 2)
    return untestable('The events of the server have no ids: it does not resume.')
  const resumed = await wire.listen(session, { 'Last-Event-ID': first })
  const again = await comesAgain(resumed, ids.slice(1), wire.timeoutMs)
  resumed.abort()
  if (again) return ok(`GET with the Last-Event-ID of the first of ${ids.length} events got the later ones.`)
  const seen = `GET with the Last-Event-ID of the first of ${ids.length} events got ${resumed.status} and none of the later ones.`
  const compared = await compareWithNone(wire, seen)
  if (compared.verdict === 'ok') return compared
  return problem(
    `${seen} The header is lost on the way to the server, or the server gives ids and does not resume. Probe the server itself to tell which.`,
  )
}

async function comesAgain(resumed: Exchange, later: readonly string[], timeoutMs: number): Promise<boolean> {
  if (!resumed.isEventStream) return false
  const isLater = (event: { id?: string | undefined }) => event.id !== undefined && later.includes(event.id)
  // Not coming is an answer here.
  return await resumed.stream.until(isLater, 'A later event', timeoutMs).then(
    () => true,
    () => false,
  )
}

/** An id that was never given is refused where GET without one is not: then it arrives. */
async function compareWithNone(wire: Wire, reason: string): Promise<Judgement> {
  const plain = await listenOnce(wire, {})
  const garbage = await listenOnce(wire, { 'Last-Event-ID': noSuchEvent })
  const seen = `${reason} GET got ${plain} without Last-Event-ID and ${garbage} with one that was never given.`
  return plain !== garbage ? ok(`${seen} The header arrives.`) : untestable(seen)
}

async function listenOnce(wire: Wire, headers: Readonly<Record<string, string>>): Promise<number> {
  const exchange = await wire.listen(await wire.open(), headers)
  exchange.abort()
  return exchange.status
}
