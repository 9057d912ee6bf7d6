import type { Backplane, SessionRecord } from '../backplane/backplane.ts'
import type { NodeMessages } from './node-messages.ts'

/** A session as an app sees it, without its id: the id is a secret of its client. */
export type SessionInfo = Omit<SessionRecord, 'owner' | 'term'>

/** Sessions by key: `await sessionKey(sessionId)`. */
export interface EndpointSessions {
  list(): AsyncIterable<SessionInfo>
  get(key: string): Promise<SessionInfo | undefined>
  /** Ends a session on every node: its calls, its streams, its record. `false` when there was none. */
  end(key: string): Promise<boolean>
}

/** The sessions of every node, as the store has them. */
export function createEndpointSessions({ sessions, events }: Backplane, nodes: NodeMessages): EndpointSessions {
  return { list, get, end }

  async function* list(): AsyncIterable<SessionInfo> {
    for await (const record of sessions.list()) yield toInfo(record)
  }

  async function get(key: string): Promise<SessionInfo | undefined> {
    const record = await sessions.get(key)
    return record && toInfo(record)
  }

  async function end(key: string): Promise<boolean> {
    const existed = await sessions.delete(key)
    await nodes.publish({ type: 'end', sessionKey: key })
    await events.delete(key)
    return existed
  }
}

function toInfo({ owner: _owner, term: _term, ...info }: SessionRecord): SessionInfo {
  return info
}
