import type { BusMessage, LogEvent, LogPage, LogPosition } from '../backplane/backplane.ts'
import type { RequestId } from '../rpc/json-rpc.ts'

/** An event's number in its stream, and its place in the log. */
export type Place = Pick<LogEvent, 'index' | 'position'>

/**
 * What became of an event that was appended. `unstored`: the log failed, and may have it or not. `fenced`: another node
 * has the session, and the log will never have it.
 */
export type Fate = 'stored' | 'unstored' | 'fenced'

/** Follows a stream as it goes on: a reader on this node, or what stands here for one on another. */
export interface Follower {
  /** Of one on another node: what that hears of new events by the append that stores them. */
  announce?(events: readonly LogEvent[]): BusMessage | undefined
  /** A new event. */
  deliver(event: LogEvent, fate: Fate): void
  /** Goes on with what the log has. */
  pump(): void
  /** Something may have happened that is no event of the stream: tells what makes up for it. */
  makeUp(): void
  /** Another follows the stream now, or it has no more to give. */
  cut(): void
  /** The server goes away: ends the response, and says when to come back. */
  sayFarewell(retryMs: number): void
}

/**
 * A stream as its readers know it. On its owner that is the writer; of a stream that ended long ago, what the log still
 * has.
 */
export interface Feed {
  readonly streamTag: string
  readonly requestIds: readonly RequestId[]
  /** Index of the newest event that readers may see. */
  readonly head: number
  /** Position of that event. */
  readonly headAt: LogPosition
  /** The last event is visible. */
  readonly ended: boolean
  /**
   * Its first event says only that it is there, and whose answers it carries: before a client gets an id of the stream,
   * that must be known to who may have to answer in place of this node.
   */
  readonly isAnnounced: boolean
  /** A client may be given an id of the stream: it is known to who may have to answer in place of this node. */
  readonly isKnown: boolean
  /**
   * A reader follows the stream. The connection of the one before is cut, the new one never refused: dead peers look
   * open for minutes.
   */
  attach(reader: Follower): void
  detach(reader: Follower): void
  /** A reader has everything up to this event; what it has not of that will never come. */
  advanced(to: Place): void
}

/** A stream that only the log knows, and that has ended. */
export function toStoredFeed(streamTag: string, { head, headPosition, requestIds }: LogPage): Feed {
  const ignore = (): void => undefined
  return {
    streamTag,
    requestIds,
    head,
    headAt: headPosition,
    ended: true,
    isAnnounced: false,
    isKnown: true,
    attach: ignore,
    detach: ignore,
    advanced: ignore,
  }
}
