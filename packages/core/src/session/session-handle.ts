import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'

/** A session as requests meet it, on whichever node it lives. */
export interface SessionHandle {
  post(incoming: Incoming, request: HttpRequest, head: RequestHead): MaybePromise<HttpReply>
  /** GET: the standalone stream, or the stream that `Last-Event-ID` names. */
  listen(request: HttpRequest, head: RequestHead): MaybePromise<HttpReply>
  /** Ends the session for good. */
  end(reason: string): Promise<void>
}
