import type { LogPage } from '../backplane/backplane.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { isResponse, type JsonRpcMessage, type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'
import { type Feed, toStoredFeed } from './feed.ts'
import { pageSize } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

export interface AbandonedParts {
  readonly streamTag: string
  readonly read: (after: number, limit: number) => MaybePromise<LogPage | undefined>
  /** A stream that goes on with the number of this owner. */
  readonly goOn: (page: LogPage) => StreamWriter
}

/**
 * Ends a stream whose calls ran on a node that is gone. Nothing else would answer them: each without an answer gets an
 * error, which is stored as any event, so that it comes once and moves the client's cursor to the end. `undefined`: the
 * log knows no such stream.
 */
export async function endAbandoned({ streamTag, read, goOn }: AbandonedParts): Promise<Feed | undefined> {
  const answered = new Set<RequestId>()
  let page = await read(0, pageSize)
  for (let events = page?.events ?? []; events.length > 0; events = page?.events ?? []) {
    for (const { data } of events) noteAnswer(data, answered)
    page = await read((events.at(-1) as { index: number }).index, pageSize)
  }
  if (!page) return undefined
  // Another request for the same stream was first.
  if (page.ended) return toStoredFeed(streamTag, page)
  const stream = goOn(page)
  const open = page.requestIds.filter((requestId) => !answered.has(requestId))
  if (open.length === 0) stream.append('message', '', true)
  for (const requestId of open) stream.append('message', toErrorText(requestId), requestId === open.at(-1))
  return stream
}

function noteAnswer(data: string, answered: Set<RequestId>): void {
  if (data === '') return
  const message = JSON.parse(data) as JsonRpcMessage
  if (isResponse(message) && message.id !== undefined) answered.add(message.id)
}

/** What a client hears of a call whose node is gone. */
export const lostCall =
  'The server that ran this call ended before its answer: call again, if doing it twice does no harm'

function toErrorText(requestId: RequestId): string {
  return JSON.stringify(toErrorMessage(rpcCode.refused, lostCall, requestId))
}
