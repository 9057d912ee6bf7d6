import type { Backplane } from '@throughline/mcp-http-core'
import type { StoreUnderTest } from '../../src/store/store-under-test.ts'
import { endLogs, FakeConnection, FakeDatabase } from './fake-database.ts'
import { ReferenceBus } from './reference-bus.ts'
import { ReferenceLog } from './reference-log.ts'
import { ReferenceSessions } from './reference-sessions.ts'
import type { StoreDefect } from './store-doubles.ts'

/** What the parts of a backplane share on one node. */
export interface Node {
  readonly connection: FakeConnection
  readonly prefix: string
  readonly isFirst: boolean
  /** The log looks at the session's record: who does not own the session is fenced, and what was deleted stays gone. */
  readonly isJoined: boolean
  /** Whether the store is broken in this way. */
  readonly has: (defect: StoreDefect) => boolean
}

export interface ReferenceStoreOptions {
  readonly defect?: StoreDefect
  readonly maxEventsPerSession?: number
  /** @default false */
  readonly isJoined?: boolean
  /** How long a command waits for a connection that is cut. @default 0 */
  readonly patienceMs?: number
}

/** A small store that keeps to the whole contract, over a database in this process. It can be broken in one way. */
export function openReferenceStore(options: ReferenceStoreOptions = {}): StoreUnderTest {
  const { defect, maxEventsPerSession = 100_000, isJoined = false, patienceMs = 0 } = options
  const database = new FakeDatabase()
  const has = (asked: StoreDefect) => asked === defect
  const connect = (prefix: string, isFirst = false): Node => {
    return { connection: new FakeConnection(database, patienceMs), prefix, isFirst, isJoined, has }
  }
  const toBackplane = (node: Node): Backplane => {
    const bus = new ReferenceBus(node)
    return { sessions: new ReferenceSessions(node), events: new ReferenceLog(node, bus, maxEventsPerSession), bus }
  }
  const first = connect('mcp', true)
  const own = database.deployment('mcp')
  return {
    backplane: toBackplane(first),
    second: () => toBackplane(connect('mcp')),
    neighbour: () => toBackplane(connect('mcp2')),
    oracle: {
      hasSession: (key) => own.rows.has(key),
      countEvents(key) {
        endLogs(own, has)
        return (own.logs.get(key)?.events.length ?? 0) + (own.hidden.get(key) ?? 0)
      },
    },
    faults: {
      disconnect: () => first.connection.cut(),
      reconnect: () => first.connection.mend(),
      loseNextReply: () => first.connection.loseNextReply(),
    },
  }
}
