import type { RequestId } from '../rpc/json-rpc.ts'
import { standaloneTag } from './event-id.ts'
import type { SessionStreams } from './session-streams.ts'
import type { StreamWriter } from './stream-writer.ts'

/** A stream of a session, as the node that has the session knows it. */
export interface StreamInfo {
  /** Names it in its session, and in its event ids. */
  readonly streamTag: string
  readonly kind: 'call' | 'standalone'
  /** The client's ids of the calls that it answers. */
  readonly requestIds: readonly RequestId[]
  /** Index of its newest event; 0 before the first. */
  readonly head: number
  /** Index of the last event that was written to a connection; `undefined` of a stream that only the log has. */
  readonly cursor: number | undefined
  /** A connection reads it now. */
  readonly isRead: boolean
  readonly ended: boolean
}

/** Streams that have ended and are looked for in the log. */
const maxEnded = 32

/** The streams that run or are being read, and those of the newest that have ended, as far as the log has them. */
export async function describeStreams(streams: SessionStreams): Promise<StreamInfo[]> {
  const live = [streams.standalone, ...streams.running].map(toInfo)
  const tags = streams.writer.newestTags(maxEnded).filter((tag) => !streams.find(tag))
  const ended = await Promise.all(tags.map((tag) => readEnded(streams, tag)))
  return [...live, ...ended.filter((info) => info !== undefined)]
}

function toInfo({ streamTag, requestIds, head, written, reader, ended }: StreamWriter): StreamInfo {
  const kind = streamTag === standaloneTag ? 'standalone' : 'call'
  return { streamTag, kind, requestIds, head, cursor: written, isRead: reader !== undefined, ended }
}

async function readEnded(streams: SessionStreams, streamTag: string): Promise<StreamInfo | undefined> {
  const page = await streams.read(streamTag, 0, 0)
  if (!page) return undefined
  const { requestIds, head, ended } = page
  return { streamTag, kind: 'call', requestIds, head, cursor: undefined, isRead: false, ended }
}
