import type { SessionRecord } from '../backplane/backplane.ts'
import { Rejection } from '../http/errors.ts'

type Params = Readonly<Record<string, unknown>>

export interface NewSession {
  readonly key: string
  readonly principal: string | null
  /** The `params` of `initialize`. */
  readonly initializeParams: Params
  /** The node that opens it. */
  readonly owner: string
}

/** Characters of what is kept of a client's `initialize`, as JSON. */
const maxInitializeParams = 65_536

/** What a server object built anew needs of the client's `initialize`. */
export function toKeptParams({ protocolVersion, capabilities, clientInfo }: Params): Params {
  const kept = { protocolVersion, capabilities, clientInfo }
  if (JSON.stringify(kept).length <= maxInitializeParams) return kept
  throw new Rejection('invalid_params', {
    message: `Invalid params: expected at most ${maxInitializeParams} characters in the params of initialize`,
  })
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
