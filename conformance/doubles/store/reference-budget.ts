import type { LogEvent } from '@throughline/mcp-http-core'
import type { Log } from './fake-database.ts'
import type { StoreDefect } from './store-doubles.ts'

export interface Budget {
  readonly maxEvents: number
  readonly has: (defect: StoreDefect) => boolean
}

/** Drops what is cheapest to lose, as long as there is too much. */
export function trim(log: Log, newest: LogEvent, { maxEvents, has }: Budget): void {
  const most = has('budget-is-tripled') ? 3 * maxEvents : maxEvents
  while (log.events.length > most) {
    const dropped = findCheapest(log, newest, has)
    if (dropped.length === 0) break
    log.events = log.events.filter((event) => !dropped.includes(event))
  }
}

function findCheapest(log: Log, newest: LogEvent, has: Budget['has']): LogEvent[] {
  const kept = log.events
  const settled = kept.find((event) => log.settled.has(toName(event)))
  if (settled) return [settled]
  const isNewest = ({ position }: LogEvent) =>
    position.term === newest.position.term && position.n === newest.position.n
  const ofKind = (kind: LogEvent['kind']) => kept.filter((event) => event.kind === kind && !isNewest(event))
  const notifications = ofKind('notification')
  const progress = has('newest-progress-may-be-dropped')
    ? kept.filter(({ kind }) => kind === 'progress')
    : ofKind('progress')
  const messages = has('messages-before-notifications') && notifications.length > 0 ? ofKind('message') : []
  if (has('younger-notifications-are-dropped')) notifications.reverse()
  const kinds = [progress, messages, notifications]
  const order = has('notifications-before-progress') ? kinds.toReversed() : kinds
  const cheapest = order.find((events) => events.length > 0)?.[0]
  if (cheapest) return [cheapest]
  const ended = findEnded(log, newest)
  return has('ended-streams-are-dropped-by-the-event') ? ended.slice(0, 1) : ended
}

/** The events of the oldest stream that ended, of a delivered one if there is one. */
function findEnded({ streams, events }: Log, newest: LogEvent): LogEvent[] {
  const candidates = events.filter(
    ({ streamTag }) => streamTag !== newest.streamTag && streams.get(streamTag)?.ended === true,
  )
  const first = candidates.find(({ streamTag }) => streams.get(streamTag)?.released === true) ?? candidates[0]
  return candidates.filter(({ streamTag }) => streamTag === first?.streamTag)
}

/** Of an event, in its session. */
export function toName({ streamTag, index }: Pick<LogEvent, 'streamTag' | 'index'>): string {
  return `${index} ${streamTag}`
}

/** The oldest session pays for all. */
export function shareBudget(logs: readonly Log[], { maxEvents }: Budget): void {
  let count = logs.reduce((sum, { events }) => sum + events.length, 0)
  for (const { events } of logs) while (count > maxEvents && events.shift() !== undefined) count--
}
