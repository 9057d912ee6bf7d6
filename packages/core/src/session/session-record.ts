import type { SessionRecord } from '../backplane/backplane.ts'
import { Rejection } from '../http/errors.ts'
import { Recent } from '../queues/recent.ts'

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
  const text = JSON.stringify({ protocolVersion, capabilities, clientInfo })
  if (text.length <= maxInitializeParams) return toShared(text)
  throw new Rejection('invalid_params', {
    message: `Invalid params: expected at most ${maxInitializeParams} characters in the params of initialize`,
  })
}

/** What is kept of the server object's answer. */
export function toKeptCapabilities(capabilities: unknown): Params {
  return toShared(JSON.stringify(capabilities ?? {}))
}

/** Parts of records by their JSON: clients and servers say the same again and again, and of a record it is half. */
const shared = new Recent<string, Params>(1_000)
/** Characters of a part. */
const maxSharedText = 4_096

/** The value of a JSON text, which others may have too: it cannot be changed. */
function toShared(text: string): Params {
  const known = shared.get(text)
  if (known) return known
  const value = deepFreeze(JSON.parse(text) as Params)
  if (text.length > maxSharedText) return value
  shared.set(text, value)
  return value
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
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
