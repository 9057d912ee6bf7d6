import type { LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import { Rejection } from '../http/errors.ts'
import { resumeHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import { nothingLeft, toStreamReply } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { type EventIdCodec, type EventPlace, isGoneEnd, maxEventIdLength } from './event-id.ts'
import { type Feed, toStoredFeed } from './feed.ts'
import type { LogWriter } from './log-writer.ts'
import type { SessionStreams } from './session-streams.ts'
import { type Cursor, pageSize } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

export interface ResumeOptions {
  readonly request: HttpRequest
  readonly codec: EventIdCodec
}

/**
 * GET with `Last-Event-ID`: the stream that the id names, after that event. The id is looked up in this session's log
 * only; one that this session never gave out is refused, whatever it looks like (Resumability and Redelivery 2).
 */
export async function resume(
  streams: SessionStreams,
  eventId: string,
  { request, codec }: ResumeOptions,
): Promise<HttpReply> {
  const place = decode(eventId, codec)
  if (!place) throw new Rejection('invalid_event_id')
  const live = streams.find(place.streamTag)
  // This owner has told its client, or one before it has, whose end the log need not show.
  const mayBeTold = live?.ended !== false && streams.writer.hasIssued({ term: place.position.term, n: 0 })
  if (isGoneEnd(place) && mayBeTold) return nothingLeft
  // The event itself is read too, to see that it is the one the id names.
  const { streamTag, index, position } = place
  const page = await streams.read(streamTag, Math.max(index - 1, 0), 2, index > 0 ? position : undefined)
  const feed = live ?? (page && (await findStored(streams, streamTag, page)))
  if (!feed) throw new Rejection(streams.writer.hasIssued(position) ? 'history_gone' : 'invalid_event_id')
  const { gap, ...from } = page
    ? (findKept(place, page, feed, streams.writer) ?? (await findLost(streams, place, newest(feed, page))))
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
 * `undefined`: an earlier owner can have given it out, and the log has lost that event.
 */
function findKept({ index, position }: EventPlace, page: LogPage, feed: Feed, writer: LogWriter): Found | undefined {
  const { head, headAt } = newest(feed, page)
  const [first, second] = page.events
  const isIssued = index === 0 ? writer.hasIssued(position) : index <= head && !isAfter(position, headAt)
  const isOther = index > 0 && first !== undefined && !isPlaceOf({ index, position }, first)
  if (isIssued && !isOther) {
    const next = first?.index === index ? second : first
    return { index, position, gap: index < head && next?.index !== index + 1 }
  }
  const isOfItsTerm = first?.index === index && first.position.term === position.term
  const mayBeLost = index > 0 && writer.hasIssued(position) && !writer.isOwnTerm(position) && !isOfItsTerm
  if (!mayBeLost) throw new Rejection('invalid_event_id')
  return undefined
}

/**
 * A store that failed over may have lost its newest events. What an owner has appended since has indexes that the client
 * has seen, and positions that come after.
 */
async function findLost(
  streams: SessionStreams,
  { streamTag, position }: EventPlace,
  { head, headAt }: Pick<Feed, 'head' | 'headAt'>,
): Promise<Found> {
  for (let after = 0; after < head; ) {
    const { events } = (await streams.read(streamTag, after, pageSize)) ?? { events: [] }
    const next = events.find((event) => isAfter(event.position, position))
    if (next) return { index: next.index - 1, position, historyGone: true, gap: true }
    after = events.at(-1)?.index ?? head
  }
  return { index: head, position: headAt, historyGone: true, gap: true }
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
