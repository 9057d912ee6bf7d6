import type { Backplane, LogPage, SessionRecord } from '../backplane/backplane.ts'
import { expected } from '../option-checks.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { SessionActivity } from '../session/session-activity.ts'
import type { StreamInfo } from '../stream/stream-info.ts'
import type { NodeMessages } from './node-messages.ts'

/** A session as an app sees it, without its id: the id is a secret of its client. */
export interface SessionInfo extends Omit<SessionRecord, 'owner' | 'term'> {
  /** The node that has it; `undefined` while none has: it hibernates, or its node is gone. */
  readonly node: string | undefined
  /** What it does now; `undefined` where its node does not say. */
  readonly activity: SessionActivity | undefined
  /** Time, in milliseconds, after which it ends if nothing comes; `undefined` as `activity`. */
  readonly endsInMs: number | undefined
}

/** That are read at a time. */
const maxEvents = 1_000

/** Sessions by key: `await sessionKey(sessionId)`. All reject with a TypeError for what is no key. */
export interface EndpointSessions {
  list(): AsyncIterable<SessionInfo>
  get(key: string): Promise<SessionInfo | undefined>
  /**
   * Its streams: those that run or are being read, and the newest 32 that have ended, as far as the log has them.
   * `undefined` when there is no such session, none has it now, or its node does not say.
   */
  streams(key: string): Promise<readonly StreamInfo[] | undefined>
  /**
   * What the event log has of a stream after an index, at most 1,000 events. `undefined` when it does not know the stream.
   * The messages are those of your users and tools.
   * @param range.after default 0
   * @param range.limit default 100
   */
  events(
    key: string,
    streamTag: string,
    range?: { readonly after?: number; readonly limit?: number },
  ): Promise<LogPage | undefined>
  /**
   * Ends a session on every node: its calls, its streams, its record. `false` when there was none. Rejects with what the
   * store or the bus failed with; where only the bus did, the session has ended, and its node notices within its lease.
   */
  end(key: string): Promise<boolean>
}

export interface EndpointSessionsParts {
  readonly backplane: Backplane
  readonly nodes: NodeMessages
  readonly sessionIdleMs: number
  readonly activities: (node: string) => MaybePromise<ReadonlyMap<string, SessionActivity>>
  readonly streams: (node: string, key: string) => MaybePromise<readonly StreamInfo[] | undefined>
}

/** A promise of one, of which no store knows anything, would be a session that does not exist. */
function aKey(key: string): string {
  if (typeof key !== 'string') throw expected('the key of a session, as await sessionKey(sessionId)', key)
  return key
}

/** The sessions of every node, as the store has them. */
export function createEndpointSessions(parts: EndpointSessionsParts): EndpointSessions {
  const { backplane, nodes, sessionIdleMs, activities } = parts
  const { sessions, events } = backplane
  return { list, get, streams, events: readEvents, end }

  async function* list(): AsyncIterable<SessionInfo> {
    // Each node is asked once, when the first of its sessions comes.
    const known = new Map<string, ReadonlyMap<string, SessionActivity>>()
    for await (const record of sessions.list()) {
      const { owner } = record
      if (owner !== '' && !known.has(owner)) known.set(owner, await activities(owner))
      yield toInfo(record, known.get(owner))
    }
  }

  async function get(key: string): Promise<SessionInfo | undefined> {
    const record = await sessions.get(aKey(key))
    return record && toInfo(record, record.owner === '' ? undefined : await activities(record.owner))
  }

  async function streams(key: string): Promise<readonly StreamInfo[] | undefined> {
    const { owner = '' } = (await sessions.get(aKey(key))) ?? {}
    return owner === '' ? undefined : parts.streams(owner, key)
  }

  async function readEvents(
    key: string,
    streamTag: string,
    { after = 0, limit = 100 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<LogPage | undefined> {
    return events.read(aKey(key), streamTag, after, Math.min(limit, maxEvents))
  }

  async function end(key: string): Promise<boolean> {
    const existed = await sessions.delete(aKey(key))
    try {
      await nodes.publish({ type: 'end', sessionKey: key })
    } finally {
      // Ended again, it would not exist: nothing else deletes them.
      await events.delete(key)
    }
    return existed
  }

  function toInfo(
    { owner, term: _term, ...info }: SessionRecord,
    ofNode: ReadonlyMap<string, SessionActivity> | undefined,
  ): SessionInfo {
    const activity = ofNode?.get(info.key)
    const endsInMs = activity && Math.max(0, sessionIdleMs - activity.idleMs)
    return { ...info, node: owner === '' ? undefined : owner, activity, endsInMs }
  }
}
