// What the page and the server say to each other. No session id is in it: sessions go by their keys.

/** A session, as a row of the list. */
export interface SessionRow {
  readonly key: string
  /** Name and version that the client gives itself. */
  readonly client: string
  readonly protocolVersion: string
  readonly principal: string | null
  /** `undefined` while no node has it. */
  readonly node: string | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Milliseconds; 0 while it is used. `undefined`, as the next two, where its node does not say. */
  readonly idleMs: number | undefined
  readonly runningCalls: number | undefined
  readonly connections: number | undefined
}

export interface StreamRow {
  readonly streamTag: string
  readonly kind: 'call' | 'standalone'
  readonly requestIds: readonly (string | number)[]
  readonly head: number
  readonly cursor: number | undefined
  readonly isRead: boolean
  readonly ended: boolean
}

export interface SessionDetail {
  readonly row: SessionRow
  readonly initialized: boolean
  readonly endsInMs: number | undefined
  readonly logLevel: string | null
  readonly subscriptions: readonly string[]
  readonly clientCapabilities: string
  readonly serverCapabilities: string
  /** `undefined` where its node does not say. */
  readonly streams: readonly StreamRow[] | undefined
}

export type HappeningKind = 'call' | 'stream' | 'session' | 'replay' | 'forward' | 'takeover' | 'refusal'

/** Something that the endpoint published while somebody looked. */
export interface Happening {
  /** Counts up. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: HappeningKind
  readonly phase: 'start' | 'end'
  /** The same at the start and at the end of one thing. */
  readonly thing: number
  readonly sessionKey: string | undefined
  /** `tools/call forecast`, `standalone stream`. */
  readonly title: string
  readonly outcome?: string | undefined
  readonly durationMs?: number | undefined
  /** The client's id of a call. */
  readonly requestId?: string | number | undefined
  /** Of a stream. */
  readonly streamTag?: string | undefined
  readonly requestIds?: readonly (string | number)[] | undefined
  /** What was sent, with secrets masked and clipped; only of a session that is looked at. */
  readonly text?: string | undefined
}

export interface Counts {
  readonly sessions: number
  readonly connections: number
  readonly streams: number
  readonly calls: number
  readonly questions: number
  readonly undeliveredMessages: number
  readonly logEvents: number
  readonly logBytes: number
}

export const sortKeys = ['activity', 'newest', 'client', 'calls'] as const
export type SortKey = (typeof sortKeys)[number]

/** Rows of one page of the list. */
export const rowsPerPage = 50

/** What `?view` is answered with. */
export interface View {
  readonly at: number
  /** Of this node. */
  readonly counts: Counts
  /** Sessions of all nodes. */
  readonly total: number
  /** There are more, which are not looked at. */
  readonly isPartial: boolean
  readonly matching: number
  readonly page: number
  readonly rows: readonly SessionRow[]
  /** `false` on a runtime without diagnostics channels: nothing happens then, as far as the page can tell. */
  readonly isObserved: boolean
  /** Newer than the `since` that was asked with, oldest first. */
  readonly happenings: readonly Happening[]
  readonly lastSeq: number
  /** `null`: it has ended. `undefined`: none was asked for. */
  readonly session?: SessionDetail | null | undefined
}

export interface StreamEvent {
  readonly index: number
  readonly kind: 'progress' | 'notification' | 'message'
  readonly last: boolean
  /** Empty for one that only announces or ends the stream. */
  readonly text: string
}

/** What `?stream` is answered with; `null`: the log does not know it. */
export type StreamPage = {
  readonly events: readonly StreamEvent[]
  readonly head: number
  readonly ended: boolean
} | null

/** What a POST says. */
export interface Command {
  readonly action: 'end'
  readonly key: string
}

/** Every POST has it: a page of another site cannot send it unasked. */
export const commandHeader = 'x-throughline-inspector'
