import type { CheckContext } from './client/context.ts'
import type { Role } from './roles.ts'

/**
 * How binding a requirement is. `RFC-MUST`: by the RFC the transport builds on. `dMUST`: the MUST is on the client or on
 * the message format, and there is one sane reaction. `HARD`: robustness, not normative.
 */
export type Level = (typeof levels)[number]

export const levels = ['MUST', 'MUST NOT', 'RFC-MUST', 'dMUST', 'SHOULD', 'SHOULD NOT', 'HARD', 'MAY'] as const

/** Protocol revisions that open with `initialize`, oldest first. */
export const revisions = ['2025-03-26', '2025-06-18', '2025-11-25'] as const

export type Revision = (typeof revisions)[number]

/** The revision without `initialize`, sessions and GET. */
export const modernRevision = '2026-07-28'

/**
 * What a server must offer for the check to be possible.
 * `legacy`: it speaks a revision up to 2025-11-25. `sessions`: it gives session ids. `stateless`: it gives none. `get-stream`: GET opens a stream. `delete`: DELETE ends a
 * session. `sse`: a call with progress is answered with an event stream. `resumption`: its events have ids.
 * `localhost`: it is reached by a loopback name or address. `modern`: it speaks 2026-07-28. `dual`: that and an earlier
 * revision. `auth`: the run was given a bearer token, and without it the server answers 401. `token:…`: it was given another
 * token too: of another user, expired, without the scope, for another audience. `second-node`: it was given the URL of another node of the same deployment.
 */
export type Need =
  | 'legacy'
  | 'sessions'
  | 'stateless'
  | 'get-stream'
  | 'delete'
  | 'sse'
  | 'resumption'
  | 'localhost'
  | 'modern'
  | 'dual'
  | 'auth'
  | `token:${'other' | 'expired' | 'weak' | 'foreign'}`
  | 'second-node'
  | `role:${Role}`
  | `version:${Revision}`

export interface Requirement {
  /** Readable and for ever: `area/what-it-says`. */
  readonly id: string
  /** What the server does when it meets the requirement, as a sentence. */
  readonly title: string
  /** Rows of the catalogue (`R…`) and of the threat table (`T…`). */
  readonly rows: readonly string[]
  readonly level: Level
  /** The clause, as {@link toSpecUrl} reads it. */
  readonly spec: string
  /** Why it follows, where the clause does not say it of the server in so many words: always for `dMUST`. */
  readonly because?: string
  /** `legacy`: with `initialize`, up to 2025-11-25. `modern`: 2026-07-28. */
  readonly era: 'legacy' | 'modern'
  /** First revision of its era for which it holds. */
  readonly since?: Revision
  /** Last revision of its era for which it holds. */
  readonly until?: Revision
  readonly needs: readonly Need[]
  /** The check measures time, so that nothing else may run beside it. */
  readonly alone: boolean
  /** The check could harm a real server (floods, oversize bodies, slow senders): it runs only when that was allowed. */
  readonly abuse: boolean
  /** The check waits for longer than 5 seconds on a server that meets the requirement: it runs only when asked for. */
  readonly slow: boolean
  /** Returns when the requirement is met, throws otherwise. */
  check(context: CheckContext): Promise<void>
}

export type RequirementDefinition = Pick<Requirement, 'id' | 'title' | 'rows' | 'level' | 'spec' | 'check'> &
  Partial<Pick<Requirement, 'because' | 'era' | 'since' | 'until' | 'needs' | 'alone' | 'abuse' | 'slow'>>

export function requirement(definition: RequirementDefinition): Requirement {
  return { era: 'legacy', needs: [], alone: false, abuse: false, slow: false, ...definition }
}

/** `true` when the requirement holds for `revision`. */
export function holdsFor({ since, until }: Requirement, revision: Revision): boolean {
  const index = revisions.indexOf(revision)
  const first = since === undefined ? 0 : revisions.indexOf(since)
  const last = until === undefined ? revisions.length - 1 : revisions.indexOf(until)
  return index >= first && index <= last
}
