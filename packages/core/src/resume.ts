import type { LogEvent, LogPage } from './backplane.ts'
import { drainingRejection, Rejection } from './errors.ts'
import { type EventIdCodec, type EventPlace, maxEventIdLength, standaloneTag } from './event-id.ts'
import { resumeHeader } from './headers.ts'
import type { HttpReply } from './http.ts'
import type { LiveSession } from './live-session.ts'
import { toStreamReply } from './reply.ts'
import type { ConnectFrom, SessionStreams } from './session-streams.ts'
import type { Stream } from './stream.ts'

/** GET without a cursor: the standalone stream, from the first event that no connection was ever sent. */
export function openStandalone({ streams }: LiveSession): HttpReply {
  const stream = streams.standalone
  if (!stream) throw new Rejection('method_not_allowed')
  return toStreamReply(streams.connect(stream, { index: stream.written, position: stream.writtenAt }))
}

/**
 * GET with a cursor: the stream that the id names, after that event. The id is looked up in this session's log only;
 * one that this session never gave out is refused, whatever it looks like (Resumability and Redelivery 2).
 */
export async function resume(
  { streams }: LiveSession,
  eventId: string,
  { codec, draining }: { codec: EventIdCodec; draining: boolean },
): Promise<HttpReply> {
  const place = eventId.length > maxEventIdLength ? undefined : codec.decode(eventId)
  if (!place || !streams.log.hasIssued(place.position)) throw new Rejection('invalid_event_id')
  // A call's answer may still be fetched; a standalone stream would never end.
  if (draining && place.streamTag === standaloneTag) throw drainingRejection()
  const live = streams.find(place.streamTag)
  // The event itself is read too, to see that it is the one the id names.
  const page = await streams.log.read(place.streamTag, Math.max(place.index - 1, 0), 2)
  if (page) return resumeKept(streams, place, page, live ?? streams.restore(place.streamTag, page))
  if (live) return resumeUnkept(streams, place, live)
  throw new Rejection('history_gone')
}

function resumeKept(streams: SessionStreams, place: EventPlace, page: LogPage, stream: Stream): HttpReply {
  const [first, second] = page.events
  if (place.index > stream.head || (first && !isPlaceOf(place, first))) throw new Rejection('invalid_event_id')
  const next = first?.index === place.index ? second : first
  const gap = place.index < stream.head && next?.index !== place.index + 1
  return toResumed(streams, stream, place, gap)
}

/** A stream without stored events: nothing happened yet, or what happened went with an earlier owner's log. */
function resumeUnkept(streams: SessionStreams, place: EventPlace, stream: Stream): HttpReply {
  if (!streams.log.isOwnTerm(place.position)) {
    return toResumed(streams, stream, { index: 0, position: stream.origin, historyLost: true }, true)
  }
  const isOrigin = place.index === 0 && place.position.n === stream.origin.n
  if (!isOrigin && stream.head === 0) throw new Rejection('invalid_event_id')
  return toResumed(streams, stream, place, !isOrigin)
}

function toResumed(streams: SessionStreams, stream: Stream, from: ConnectFrom, gap: boolean): HttpReply {
  const headers = gap && stream.streamTag === standaloneTag ? { [resumeHeader]: 'gap' } : undefined
  return toStreamReply(streams.connect(stream, from), headers)
}

/** Whether the id's index and position belong together, as far as the log still shows. */
function isPlaceOf(place: EventPlace, first: LogEvent): boolean {
  const { term, n } = first.position
  if (first.index === place.index) return place.position.term === term && place.position.n === n
  // The event was dropped, or the id stands for the beginning.
  return place.position.term < term || place.position.n < n
}
