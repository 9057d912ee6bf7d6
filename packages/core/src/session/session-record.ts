import type { SessionRecord } from '../backplane/backplane.ts'

type Params = Readonly<Record<string, unknown>>

export interface NewSession {
  readonly key: string
  readonly principal: string | null
  /** The `params` of `initialize`. */
  readonly initializeParams: Params
  /** The node that opens it. */
  readonly owner: string
}

/** The record of a session that is about to be opened. */
export function toRecord({ key, principal, initializeParams, owner }: NewSession): SessionRecord {
  return {
    key,
    principal,
    // Until the server object has answered.
    protocolVersion: String(initializeParams.protocolVersion),
    initializeParams,
    serverCapabilities: {},
    createdAt: Date.now(),
    term: 1,
    owner,
    initialized: false,
    logLevel: null,
    subscriptions: [],
  }
}
