import type { LogEvent, LogPage } from '../backplane/backplane.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import { resumeHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { nothingLeft, toStreamReply } from '../http/reply.ts'
import type { LiveSession } from '../session/live-session.ts'
import { type EventIdCodec, type EventPlace, maxEventIdLength, standaloneTag } from './event-id.ts'
import type { ConnectFrom, SessionStreams } from './session-streams.ts'
import type { Stream } from './stream.ts'

/** GET without a cursor: the standalone stream, from the first event that no connection was ever sent. */
export function openStandalone({ streams }: LiveSession, { auth }: HttpRequest): HttpReply {
  const stream = streams.standalone
  if (!stream) throw new Rejection('method_not_allowed')
  return toStreamReply(streams.connect(stream, auth, { index: stream.written, position: stream.writtenAt }))
}

/**
 * GET with a cursor: the stream that the id names, after that event. The id is looked up in this session's log only;
 * one that this session never gave out is refused, whatever it looks like (Resumability and Redelivery 2).
 */
export async function resume(
  { streams }: LiveSession,
  eventId: string,
  { request, codec, draining }: { request: HttpRequest; codec: EventIdCodec; draining: boolean },
): Promise<HttpReply> {
  const place = eventId.length > maxEventIdLength ? undefined : codec.decode(eventId)
  if (!place || !streams.log.hasIssued(place.position)) throw new Rejection('invalid_event_id')
  // A call's answer may still be fetched; a standalone stream would never end.
  if (draining && place.streamTag === standaloneTag) throw drainingRejection()
  const live = streams.find(place.streamTag)
  // The event itself is read too, to see that it is the one the id names.
  const page = await streams.log.read(place.streamTag, Math.max(place.index - 1, 0), 2)
  if (!live && !page) throw new Rejection('history_gone')
  const stream = live ?? streams.restore(place.streamTag, page as LogPage)
  const { gap, ...from } = page ? findKept(place, page, stream) : findUnkept(streams, place, stream)
  if (stream.ended && from.index === stream.head) return nothingLeft
  const headers = gap && stream === streams.standalone ? { [resumeHeader]: 'gap' } : undefined
  return toStreamReply(streams.connect(stream, request.auth, from), headers)
}

/** Where a reader goes on, and whether it has missed something. */
interface Found extends ConnectFrom {
  readonly gap: boolean
}

function findKept({ index, position }: EventPlace, page: LogPage, stream: Stream): Found {
  const [first, second] = page.events
  if (index > stream.head || (first && !isPlaceOf({ index, position }, first))) throw new Rejection('invalid_event_id')
  const next = first?.index === index ? second : first
  return { index, position, gap: index < stream.head && next?.index !== index + 1 }
}

/** A stream without stored events: nothing happened yet, or what happened went with an earlier owner's log. */
function findUnkept({ log }: SessionStreams, { index, position }: EventPlace, stream: Stream): Found {
  if (!log.isOwnTerm(position)) return { index: 0, position: stream.origin, historyLost: true, gap: true }
  const isOrigin = index === 0 && position.n === stream.origin.n
  if (!isOrigin && stream.head === 0) throw new Rejection('invalid_event_id')
  return { index, position, gap: !isOrigin }
}

/** Whether the id's index and position belong together, as far as the log still shows. */
function isPlaceOf(place: ConnectFrom, first: LogEvent): boolean {
  const { term, n } = first.position
  if (first.index === place.index) return place.position.term === term && place.position.n === n
  // The event was dropped, or the id stands for the beginning.
  return place.position.term < term || place.position.n < n
}
