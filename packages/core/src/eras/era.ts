import { isBatch } from '../call/dispatch.ts'
import { Rejection } from '../http/errors.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'
import type { Incoming } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { isInitialize, type JsonRpcNotification } from '../rpc/json-rpc.ts'
import { eraOfVersion, findRevision, supportedVersions } from '../rpc/revision.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { StreamInfo } from '../stream/stream-info.ts'

/** Counts of what an era holds on this node. */
export interface Counts {
  readonly sessions: number
  readonly streams: number
  readonly calls: number
  readonly questions: number
}

/** One way to serve clients: everything between a request that was let in and its reply. */
export interface Era {
  /** Methods it answers, as the `Allow` header lists them. */
  readonly methods: readonly string[]
  /** `incoming` is the body, where it had to be read to find the era. */
  answer(request: HttpRequest, head: RequestHead, incoming?: Incoming): MaybePromise<HttpReply>
  /** Passes a notification on to every client that listens, or to one session. */
  notify(notification: JsonRpcNotification, sessionKey?: string): void
  /** A session was ended, on whichever node. */
  sessionEnded(sessionKey: string): void
  /** Notifications, and that sessions were ended, may not have been heard here: makes up for it. */
  missed(): void
  /** Lets running calls end. Resolves when none is left, or after `drainMs` milliseconds. */
  drain(drainMs: number): Promise<void>
  /**
   * Ends the streams that no call has, once no era has a call: their clients listen again at once, and official ones try
   * that twice, and then never more.
   */
  sayFarewell(): void
  /** Ends the calls that still run. */
  close(reason: string): Promise<void>
  counts(): Counts
  /** What a node's sessions do now, by key: this node's, or another's. A node that is gone has none. */
  activities(node: string): MaybePromise<ReadonlyMap<string, SessionActivity>>
  /** The streams of a node's session; `undefined` where the node does not have it, or does not say. */
  streams(node: string, sessionKey: string): MaybePromise<readonly StreamInfo[] | undefined>
}

/**
 * Refuses a version that is none of a session's; an absent one is fine (Protocol Version Header). `initialize` is exempt:
 * it negotiates the version by its body, so that a newer client, whose header names a newer one, can negotiate down.
 */
export function checkVersion({ version }: RequestHead, incoming?: Incoming): void {
  if (version === undefined || findRevision(version)) return
  if (incoming && !isBatch(incoming) && isInitialize(incoming)) return
  throw unsupported()
}

/** In a session some clients send the newest version they know, not the one that they negotiated. */
export function checkVersionInSession({ version }: RequestHead): void {
  if (version !== undefined && !eraOfVersion(version)) throw unsupported()
}

function unsupported(): Rejection {
  return new Rejection('unsupported_version', {
    message: `Unsupported MCP-Protocol-Version: supported are ${supportedVersions.join(', ')}`,
  })
}
