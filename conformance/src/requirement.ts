import type { CheckContext } from './client/context.ts'

/**
 * How binding a requirement is. `RFC-MUST`: by the RFC the transport builds on. `dMUST`: the MUST is on the client or on
 * the message format, and there is one sane reaction. `HARD`: robustness, not normative.
 */
export type Level = 'MUST' | 'MUST NOT' | 'RFC-MUST' | 'dMUST' | 'SHOULD' | 'SHOULD NOT' | 'HARD' | 'MAY'

/** Protocol revisions that have sessions and this transport, oldest first. */
export const revisions = ['2025-03-26', '2025-06-18', '2025-11-25'] as const

export type Revision = (typeof revisions)[number]

/**
 * What a server must offer for the check to be possible.
 * `sessions`: it gives session ids. `get-stream`: GET opens a stream. `delete`: DELETE ends a session.
 * `sse`: a call with progress is answered with an event stream. `resumption`: its events have ids.
 * `localhost`: it is reached by a loopback name or address.
 */
export type Need =
  | 'sessions'
  | 'get-stream'
  | 'delete'
  | 'sse'
  | 'resumption'
  | 'localhost'
  | `tool:${string}`
  | `version:${Revision}`

export interface Requirement {
  /** Readable and for ever: `area/what-it-says`. */
  readonly id: string
  /** Rows of the catalogue (`R…`) and of the threat table (`T…`). */
  readonly rows: readonly string[]
  readonly level: Level
  /** The clause. */
  readonly spec: string
  /** First revision for which it holds. */
  readonly since?: Revision
  /** Last revision for which it holds. */
  readonly until?: Revision
  readonly needs: readonly Need[]
  /** The check measures time, so that nothing else may run beside it. */
  readonly alone: boolean
  /** Returns when the requirement is met, throws otherwise. */
  check(context: CheckContext): Promise<void>
}

export type RequirementDefinition = Pick<Requirement, 'id' | 'rows' | 'level' | 'spec' | 'check'> &
  Partial<Pick<Requirement, 'since' | 'until' | 'needs' | 'alone'>>

export function requirement(definition: RequirementDefinition): Requirement {
  return { needs: [], alone: false, ...definition }
}

/** `true` when the requirement holds for `revision`. */
export function holdsFor({ since, until }: Requirement, revision: Revision): boolean {
  const index = revisions.indexOf(revision)
  const first = since === undefined ? 0 : revisions.indexOf(since)
  const last = until === undefined ? revisions.length - 1 : revisions.indexOf(until)
  return index >= first && index <= last
}
