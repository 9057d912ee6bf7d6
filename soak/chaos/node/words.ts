export type ClientName = 'ioredis' | 'node-redis'

export interface NodeSettings {
  /** 0: any that is free. */
  readonly port: number
  /** Of a Redis or a Postgres, and the client to use; or a SQLite file. */
  readonly store:
    | { readonly redisPort: number; readonly client: ClientName }
    | { readonly url: string; readonly client: 'pg' | 'postgres' }
    | { readonly file: string }
  readonly leaseMs: number
}

/** An event as it is given to the log. */
export interface Noted {
  readonly sessionKey: string
  /** `<tag>.<term>-<n>`, which no other event of the session has. */
  readonly place: string
  readonly streamTag: string
  readonly index: number
  readonly data: string
}

export interface Look {
  readonly rss: number
  readonly sessions: number
  readonly connections: number
  readonly calls: number
}

export type FromNode =
  | { readonly type: 'listening'; readonly port: number }
  /** Said before the log has it: what a client gets was said before, however the node ends. */
  | ({ readonly type: 'append' } & Noted)
  /** The log said `ok`. */
  | { readonly type: 'acked'; readonly sessionKey: string; readonly place: string }
  /** The log said that another node owns the session. */
  | { readonly type: 'fenced'; readonly sessionKey: string; readonly place: string }
  | { readonly type: 'look'; readonly look: Look }
  /** All that was said before it has come. */
  | { readonly type: 'said' }
  /** What `onError` heard. */
  | { readonly type: 'error'; readonly where: string; readonly text: string }
  /** Unhandled rejections, uncaught exceptions, warnings, answers to another session's questions. */
  | { readonly type: 'stray'; readonly text: string }
