import type { LogEvent, LogPage } from './backplane.ts'
import { Rejection } from './errors.ts'
import { type EventPlace, maxEventIdLength, standaloneTag } from './event-id.ts'
import { resumeHeader } from './headers.ts'
import type { HttpReply } from './http.ts'
import type { ConnectFrom, LiveSession } from './live-session.ts'
import type { ResolvedOptions } from './options.ts'
import { toStreamReply } from './reply.ts'
import type { Stream } from './stream.ts'

/** GET without a cursor: the standalone stream, from the first event that no connection was ever sent. */
export function openStandalone(session: LiveSession): HttpReply {
  const stream = session.standalone
  if (!stream) throw new Rejection('method_not_allowed')
  return toStreamReply(session.connect(stream, { index: stream.written, position: stream.writtenAt }))
}

/**
 * GET with a cursor: the stream that the id names, after that event. The id is looked up in this session's log only;
 * one that this session never gave out is refused, whatever it looks like (Resumability and Redelivery 2).
 */
export async function resume(session: LiveSession, eventId: string, options: ResolvedOptions): Promise<HttpReply> {
  const place = eventId.length > maxEventIdLength ? undefined : options.eventIds.decode(eventId)
  if (!place || !session.log.hasIssued(place.position)) throw new Rejection('invalid_event_id')
  const live = session.findStream(place.streamTag)
  // The event itself is read too, to see that it is the one the id names.
  const page = await session.log.read(place.streamTag, Math.max(place.index - 1, 0), 2)
  if (page) return resumeKept(session, place, page, live ?? session.restoreStream(place.streamTag, page))
  if (live) return resumeUnkept(session, place, live)
  throw new Rejection('history_gone')
}

function resumeKept(session: LiveSession, place: EventPlace, page: LogPage, stream: Stream): HttpReply {
  const [first, second] = page.events
  if (place.index > stream.head || (first && !isPlaceOf(place, first))) throw new Rejection('invalid_event_id')
  const next = first?.index === place.index ? second : first
  const gap = place.index < stream.head && next?.index !== place.index + 1
  return toResumed(session, stream, place, gap)
}

/** A stream without stored events: nothing happened yet, or what happened went with an earlier owner's log. */
function resumeUnkept(session: LiveSession, place: EventPlace, stream: Stream): HttpReply {
  if (!session.log.isOwnTerm(place.position)) {
    return toResumed(session, stream, { index: 0, position: stream.origin, historyLost: true }, true)
  }
  const isOrigin = place.index === 0 && place.position.n === stream.origin.n
  if (!isOrigin && stream.head === 0) throw new Rejection('invalid_event_id')
  return toResumed(session, stream, place, !isOrigin)
}

function toResumed(session: LiveSession, stream: Stream, from: ConnectFrom, gap: boolean): HttpReply {
  const headers = gap && stream.streamTag === standaloneTag ? { [resumeHeader]: 'gap' } : undefined
  return toStreamReply(session.connect(stream, from), headers)
}

/** Whether the id's index and position belong together, as far as the log still shows. */
function isPlaceOf(place: EventPlace, first: LogEvent): boolean {
  const { term, n } = first.position
  if (first.index === place.index) return place.position.term === term && place.position.n === n
  // The event was dropped, or the id stands for the beginning.
  return place.position.term < term || place.position.n < n
}
