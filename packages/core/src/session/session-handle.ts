import type { SessionRecord } from '../backplane/backplane.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'

/** The session does not live on this node any more, and goes on: whoever has found it here must look again. */
export class SessionMoved extends Error {
  override readonly name = 'SessionMoved'
}

/** A session as requests meet it, on whichever node it lives. */
export interface SessionHandle {
  /** As far as it is known here. */
  readonly record: SessionRecord
  post(incoming: Incoming, request: HttpRequest, head: RequestHead): MaybePromise<HttpReply>
  /** The standalone stream, or the one that the event id names, after that event: the client's id, or a node's. */
  listen(request: HttpRequest, lastEventId: string | undefined, isRecovery?: boolean): MaybePromise<HttpReply>
  /** Ends the session for good. @throws SessionMoved when another node has taken it over meanwhile: it goes on there */
  end(reason: string): Promise<void>
}
