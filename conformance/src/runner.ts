import { createContext } from './client/context.ts'
import { toCurl } from './client/curl.ts'
import { isProgrammingError, NotTestable, RateLimited, SetupFailure } from './client/expect.ts'
import { missingNeed, type Target } from './client/target.ts'
import type { Result, Verdict } from './report.ts'
import { holdsFor, type Level, modernRevision, type Requirement } from './requirement.ts'
import { requirements } from './requirements/index.ts'
import { toSpecUrl } from './spec-url.ts'

const unmetVerdict: Readonly<Record<Level, Verdict>> = {
  MUST: 'fail',
  'MUST NOT': 'fail',
  'RFC-MUST': 'fail',
  dMUST: 'fail',
  SHOULD: 'warn',
  'SHOULD NOT': 'warn',
  HARD: 'advice',
  MAY: 'info',
}

/** Limit for one check, in milliseconds: of those that are slow on purpose, and of all others. */
export const checkTimeoutMs = { slow: 120_000, other: 20_000 } as const

/** Round trips that the longest check makes one after the other. */
const mostRoundTrips = 120

export interface CheckOptions {
  /** @default {@link checkTimeoutMs}, and more where the way to the server is long or it has to be spared */
  readonly timeoutMs?: number
  /** Ends the check: it is `not-run` then. */
  readonly signal?: AbortSignal
}

/** Checks one requirement. Never throws: whatever goes wrong is a verdict. */
export async function checkRequirement(
  requirement: Requirement,
  target: Target,
  { signal, timeoutMs }: CheckOptions = {},
): Promise<Result> {
  const startedAt = performance.now()
  const missing = whyNotTestable(requirement, target)
  if (missing !== undefined) return toResult(requirement, { verdict: 'not-testable', message: missing })

  const context = createContext(target, requirement.id)
  const finish = (verdict: Verdict, message: string): Result => {
    const evidence =
      verdict === 'pass' ? {} : { transcript: context.transcript.toString(), curl: toCurl(context.transcript) }
    const durationMs = Math.round(performance.now() - startedAt)
    return toResult(requirement, { verdict, message: context.transcript.conceal(message), durationMs, ...evidence })
  }
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), timeoutMs ?? limitFor(requirement, target))
  try {
    await untilAborted(requirement.check(context), [limit.signal, ...(signal === undefined ? [] : [signal])])
    return finish('pass', '')
  } catch (error) {
    if (signal?.aborted) return finish('not-run', toReason(signal))
    // The limit is the suite's: it says nothing of the server.
    if (limit.signal.aborted) return finish('not-run', 'the check did not come to its end in time')
    return finish(...judge(requirement.level, error))
  } finally {
    clearTimeout(timer)
    await context.close()
  }
}

function limitFor({ slow }: Requirement, { roundTripMs, client }: Target): number {
  const own = slow ? checkTimeoutMs.slow : checkTimeoutMs.other
  return own + mostRoundTrips * roundTripMs + (client.pace?.delayMs ?? 0)
}

/** What an error says: of the server, of what it lacks, or of the way to the check. */
function judge(level: Level, error: unknown): [verdict: Verdict, message: string] {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof NotTestable) return ['not-testable', message]
  if (error instanceof SetupFailure) return ['not-set-up', `could not be set up: ${message}`]
  if (error instanceof RateLimited) return ['not-run', message]
  // What a check cannot read it must say; an error of its own says nothing of the server.
  if (isProgrammingError(error)) return ['not-testable', `the check itself failed, please report it: ${message}`]
  return [unmetVerdict[level], isOfConnection(error) ? `Expected an answer, the connection broke: ${message}` : message]
}

/** Errors of the system, which say nothing of what was expected: `socket hang up`. */
function isOfConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error
}

/** Why a run was ended, of the signal that ended it. */
export function toReason({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason)
}

export type Outcome = Pick<Result, 'verdict' | 'message'> & Partial<Pick<Result, 'transcript' | 'curl' | 'durationMs'>>

export function toResult(requirement: Requirement, outcome: Outcome): Result {
  const { id, title, level, rows, spec, because = '' } = requirement
  const specUrl = toSpecUrl(spec)
  return { id, title, level, rows, spec, specUrl, because, transcript: '', curl: '', durationMs: 0, ...outcome }
}

function whyNotTestable(requirement: Requirement, target: Target): string | undefined {
  const missing = missingNeed(target, [requirement.era, ...requirement.needs])
  if (missing !== undefined) return missing
  const isModern = requirement.era === 'modern'
  if (isModern || holdsFor(requirement, target.version)) return undefined
  const { since = 'the first', until = 'the last' } = requirement
  return `is of revisions ${since} to ${until}, sessions were opened with ${target.version}`
}

async function untilAborted(promise: Promise<void>, signals: readonly AbortSignal[]): Promise<void> {
  let stop: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signals.find((signal) => signal.aborted)?.reason)
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true })
    if (signals.some((signal) => signal.aborted)) stop()
  })
  try {
    await Promise.race([promise, aborted])
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', stop)
    // It may still reject when its connections are closed.
    promise.catch(() => undefined)
  }
}

/** Throws `TypeError` when a pattern fits no requirement. A pattern is an id, or the beginning of ids up to a slash. */
export function selectRequirements(only?: readonly string[], skip: readonly string[] = []): Requirement[] {
  for (const pattern of [...(only ?? []), ...skip]) {
    if (requirements.some(({ id }) => matches(id, pattern))) continue
    throw new TypeError(`Expected the id of a requirement, or an area such as "session/", got "${pattern}"`)
  }
  return requirements.filter(({ id }) => {
    return (
      (only === undefined || only.some((pattern) => matches(id, pattern))) &&
      !skip.some((pattern) => matches(id, pattern))
    )
  })
}

function matches(id: string, pattern: string): boolean {
  return pattern.endsWith('/') ? id.startsWith(pattern) : id === pattern
}

/** Every revision that the target speaks. */
export function revisionsOf(target: Target): string[] {
  return [...target.versions, ...(target.offers.has('modern') ? [modernRevision] : [])]
}
