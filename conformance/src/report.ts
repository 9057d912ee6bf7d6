import type { Level } from './requirement.ts'

/**
 * `fail`, `warn`, `advice` and `info` all say that the requirement is not met; which one follows from its level.
 * `not-set-up`: the check could not get as far as what it judges, as no session or stream opened.
 * `not-testable`: this server does not offer what the check needs. `not-run`: this run did not ask for it, or ended before.
 */
export type Verdict = 'pass' | 'fail' | 'warn' | 'advice' | 'info' | 'not-set-up' | 'not-testable' | 'not-run'

export const verdicts: readonly Verdict[] = [
  'fail',
  'warn',
  'advice',
  'info',
  'not-set-up',
  'pass',
  'not-testable',
  'not-run',
]

/** What one requirement came to. Plain JSON. */
export interface Result {
  readonly id: string
  readonly title: string
  readonly level: Level
  /** Rows of the catalogue and of the threat table. */
  readonly rows: readonly string[]
  /** The clause, as it is cited. */
  readonly spec: string
  readonly specUrl: string
  /** Why the requirement follows from the clause, where that does not say so itself; else empty. */
  readonly because: string
  readonly verdict: Verdict
  /** Why it is not met, not set up, not testable or not run; empty for `pass`. */
  readonly message: string
  /** What was sent and received, a line for each step; empty for `pass` and where nothing was sent. */
  readonly transcript: string
  /** Shell lines that send the same with curl; empty where nothing was sent, or curl cannot send it. */
  readonly curl: string
  readonly durationMs: number
}

/** How the server under test was found. */
export interface TargetSummary {
  readonly url: string
  /** Name and version from `serverInfo`; empty when it told none. */
  readonly server: string
  /** Revision that sessions were opened with; `null` for a server that speaks 2026-07-28 only. */
  readonly revision: string | null
  /** Every revision that it speaks. */
  readonly revisions: readonly string[]
  /** What it offers, of what checks need: `sessions`, `get-stream`, `resumption`, … */
  readonly offers: readonly string[]
  /** Which of its tools plays which role. */
  readonly roles: Readonly<Record<string, string>>
  /** Roles whose tools were tried and do not play them: what was expected, and what came. */
  readonly miscast?: Readonly<Record<string, string>>
  /** Tools that might play a role which none plays, by their names. */
  readonly candidates?: Readonly<Record<string, readonly string[]>>
}

export type Counts = Readonly<Record<Verdict, number>>

/** One run against one server. Plain JSON: what `--reporter json` prints, and what saved reports hold. */
export interface Report {
  /** Of this format. */
  readonly version: 1
  readonly suite: { readonly name: string; readonly version: string }
  readonly target: TargetSummary
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  /** Why the run is not complete: it ended before its end, or checks could not be set up. Empty when it is. */
  readonly incomplete: string
  readonly counts: Counts
  /** In the order of the catalogue. */
  readonly results: readonly Result[]
}

export function countVerdicts(results: readonly Result[]): Counts {
  const counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>
  for (const { verdict } of results) counts[verdict] += 1
  return counts
}

/** What became of all requirements, in four numbers. */
export interface Coverage {
  readonly all: number
  /** Seen to be met or not. */
  readonly tested: number
  /** The server does not offer what they need. */
  readonly untestable: number
  readonly notSetUp: number
  /** Not asked for, or the run ended before. */
  readonly notRun: number
}

export function toCoverage({ results }: Pick<Report, 'results'>): Coverage {
  const count = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length
  const [untestable, notSetUp, notRun] = [count('not-testable'), count('not-set-up'), count('not-run')]
  const all = results.length
  return { all, tested: all - untestable - notSetUp - notRun, untestable, notSetUp, notRun }
}

/** The area of an id: `session` of `session/unknown-id-is-404`. */
export function areaOf(id: string): string {
  return id.split('/')[0] ?? id
}
