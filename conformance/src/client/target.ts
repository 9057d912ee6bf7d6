import { modernRevision, type Need, type Revision } from '../requirement.ts'
import { type Role, type RoleTools, roles } from '../roles.ts'
import type { ClientSettings, HeaderChanges } from './http.ts'
import type { Secrets } from './transcript.ts'
import type { Witness } from './witness.ts'

/** Bearer tokens for the server under test. With `token` every request carries it. */
export interface Credentials {
  readonly token?: string
  /** Of another user. */
  readonly other?: string
  readonly expired?: string
  /** Valid, without the scope that the endpoint needs. */
  readonly weak?: string
  /** Valid, for another audience. */
  readonly foreign?: string
}

/** What a server offers, as found out before the checks. */
export interface Target {
  readonly url: URL
  /** The revision that sessions are opened with. */
  readonly version: Revision
  /** Revisions with `initialize` that the server echoes. */
  readonly versions: readonly Revision[]
  /** Name and version that it tells of itself; empty when none. */
  readonly server: string
  readonly tools: ReadonlySet<string>
  readonly roles: RoleTools
  /** Roles whose tools were tried and do not play them, each with what was expected and what came. */
  readonly miscast: ReadonlyMap<Role, string>
  /** Tools that might play a role which none plays, by their names. */
  readonly candidates: ReadonlyMap<Role, readonly string[]>
  readonly offers: ReadonlySet<Need>
  /** Goes with every request of a check. */
  readonly client: ClientSettings
  /** Sees all that the run reads, for the requirements that hold everywhere. */
  readonly witness: Witness
  /** What no transcript may show: tokens, and the headers that the user added. */
  readonly secrets: Secrets
  readonly credentials: Credentials
  /** The quickest answer while probing, in milliseconds: what the way to the server costs by itself. */
  readonly roundTripMs: number
  /** Another node of the same deployment. */
  readonly secondUrl: URL | undefined
}

/** What the user says of the server instead of letting it be found out. */
export const profiles = {
  resumable: ['legacy', 'sessions', 'delete', 'get-stream', 'sse', 'resumption'],
  sessions: ['legacy', 'sessions', 'delete', 'get-stream', 'sse'],
  stateless: ['legacy', 'stateless', 'sse'],
  'json-only': ['legacy', 'sessions', 'delete'],
  modern: ['modern'],
  dual: ['legacy', 'modern', 'dual', 'sessions', 'delete', 'get-stream', 'sse', 'resumption'],
} as const satisfies Record<string, readonly Need[]>

export type Profile = keyof typeof profiles

export interface ProbeOptions {
  readonly revision?: Revision
  readonly profile?: Profile
  readonly roles?: RoleTools
  readonly headers?: HeaderChanges
  readonly credentials?: Credentials
  readonly secondUrl?: URL
}

/** There is no MCP server that could be checked. The message says what was found instead. */
export class TargetError extends Error {
  override name = 'TargetError'
}

/** Why `needs` are not met; `undefined` when they are. */
export function missingNeed(target: Target, needs: readonly Need[]): string | undefined {
  const missing = needs.filter((need) => !target.offers.has(need))
  if (missing.length === 0) return undefined
  return `needs ${missing.map((need) => describeNeed(need, target)).join(', and ')}`
}

const descriptions: Readonly<Record<string, string>> = {
  legacy: 'a server that speaks a revision up to 2025-11-25',
  sessions: 'a server that gives session ids',
  stateless: 'a server without session ids',
  'get-stream': 'a server that opens a stream on GET',
  delete: 'a server that ends sessions on DELETE',
  sse: 'a server that answers a request by an event stream',
  resumption: 'a server whose events have ids',
  localhost: 'a server that is reached by a loopback address',
  modern: `a server that speaks ${modernRevision}`,
  dual: `a server that speaks ${modernRevision} and an earlier revision`,
  auth: 'a server that asks for a token, and one for it (--token)',
  'token:other': "another user's token (--other-token)",
  'token:expired': 'an expired token (--expired-token)',
  'token:weak': 'a token without the scope that the server asks for (--weak-token)',
  'token:foreign': 'a token for another audience (--foreign-token)',
  'second-node': 'the URL of another node of the same deployment (--second-url)',
}

function describeNeed(need: Need, { miscast }: Target): string {
  if (need.startsWith('role:')) {
    const role = need.slice('role:'.length) as Role
    const tried = miscast.get(role)
    return `a tool that ${roles[role].does} (--tool ${role}=NAME)${tried === undefined ? '' : `: ${tried}`}`
  }
  if (need.startsWith('version:')) return `a server that speaks ${need.slice('version:'.length)}`
  return descriptions[need] ?? need
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
