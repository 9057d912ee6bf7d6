import type { LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import { drainingRejection, Rejection } from '../http/errors.ts'
import { resumeHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { nothingLeft, toStreamReply } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { type EventIdCodec, type EventPlace, maxEventIdLength, standaloneTag } from './event-id.ts'
import { type Feed, toStoredFeed } from './feed.ts'
import type { LogWriter } from './log-writer.ts'
import type { SessionStreams } from './session-streams.ts'
import type { Cursor } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

export interface ResumeOptions {
  readonly request: HttpRequest
  readonly codec: EventIdCodec
  readonly draining: boolean
}

/**
 * GET with `Last-Event-ID`: the stream that the id names, after that event. The id is looked up in this session's log
 * only; one that this session never gave out is refused, whatever it looks like (Resumability and Redelivery 2).
 */
export async function resume(
  streams: SessionStreams,
  eventId: string,
  { request, codec, draining }: ResumeOptions,
): Promise<HttpReply> {
  const place = decode(eventId, codec)
  if (!place) throw new Rejection('invalid_event_id')
  // A call's answer may still be fetched; a standalone stream would never end.
  if (draining && place.streamTag === standaloneTag) throw drainingRejection()
  const live = streams.find(place.streamTag)
  // The event itself is read too, to see that it is the one the id names.
  const { streamTag, index, position } = place
  const page = await streams.read(streamTag, Math.max(index - 1, 0), 2, index > 0 ? position : undefined)
  const feed = live ?? (page && (await findStored(streams, streamTag, page)))
  if (!feed) throw new Rejection(streams.writer.hasIssued(position) ? 'history_gone' : 'invalid_event_id')
  const { gap, ...from } = page
    ? findKept(place, page, feed, streams.writer)
    : findUnkept(streams, place, live as StreamWriter)
  streams.hasResumed = true
  const { head, ended } = newest(feed, page)
  if (ended && (from.index === head || isBeforeEmptyEnd(from, page))) return nothingLeft
  const headers = gap ? { [resumeHeader]: 'gap' } : undefined
  return toStreamReply(streams.follow(feed, request.auth, { ...from, isGapTold: gap }), headers)
}

function findStored(streams: SessionStreams, streamTag: string, page: LogPage): MaybePromise<Feed | undefined> {
  return page.ended ? toStoredFeed(streamTag, page) : streams.endAbandoned(streamTag)
}

/** A codec of the user's may throw for a text that it did not make, which is then none of its ids. */
function decode(eventId: string, codec: EventIdCodec): EventPlace | undefined {
  try {
    return eventId.length > maxEventIdLength ? undefined : codec.decode(eventId)
  } catch {
    return undefined
  }
}

/** Where a reader goes on, and whether it has missed something. */
interface Found extends Cursor {
  readonly gap: boolean
}

/**
 * The stream's head decides which ids can have been given out. Its beginning has a position of its own in each term.
 */
function findKept({ index, position }: EventPlace, page: LogPage, feed: Feed, writer: LogWriter): Found {
  const { head, headAt } = newest(feed, page)
  const [first, second] = page.events
  const isIssued = index === 0 ? writer.hasIssued(position) : index <= head && !isAfter(position, headAt)
  const isForged = index > 0 && first !== undefined && !isPlaceOf({ index, position }, first)
  if (!isIssued || isForged) throw new Rejection('invalid_event_id')
  const next = first?.index === index ? second : first
  return { index, position, gap: index < head && next?.index !== index + 1 }
}

/** How far a stream has come. A reader on another node sees an event in the log before its owner hears that it is there. */
function newest({ head, headAt, ended }: Feed, page: LogPage | undefined): Pick<Feed, 'head' | 'headAt' | 'ended'> {
  if (!page || page.head <= head) return { head, headAt, ended }
  return { head: page.head, headAt: page.headPosition, ended: page.ended }
}

/** A stream without stored events: it has had none yet, or they went with an earlier owner's log. */
function findUnkept({ writer }: SessionStreams, { index, position }: EventPlace, stream: StreamWriter): Found {
  if (!writer.hasIssued(position)) throw new Rejection('invalid_event_id')
  if (!writer.isOwnTerm(position)) return { index: 0, position: stream.origin, historyGone: true, gap: true }
  const isOrigin = index === 0 && position.n === stream.origin.n
  if (!isOrigin && stream.head === 0) throw new Rejection('invalid_event_id')
  return { index, position, gap: !isOrigin }
}

/**
 * Whether all that follows is an end without a message, as a cancelled call has. It is not written, so no client's
 * cursor ever gets past it.
 */
function isBeforeEmptyEnd({ index }: Cursor, page: LogPage | undefined): boolean {
  const next = page?.events.find((event) => event.index > index)
  return next?.last === true && next.data === ''
}

/** Whether the id's index and position belong together, as far as the log still shows. */
function isPlaceOf(place: Cursor, first: LogEvent): boolean {
  if (first.index === place.index)
    return !isAfter(place.position, first.position) && !isAfter(first.position, place.position)
  // The event was dropped, or the id stands for the beginning.
  return isAfter(first.position, place.position)
}

function isAfter(a: LogPosition, b: LogPosition): boolean {
  return a.term > b.term || (a.term === b.term && a.n > b.n)
}
