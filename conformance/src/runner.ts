import { createContext } from './client/context.ts'
import { toCurl } from './client/curl.ts'
import { Mismatch, NotTestable } from './client/expect.ts'
import { missingNeed, type Target } from './client/target.ts'
import { TimeLimit, within } from './client/waiting.ts'
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

export interface CheckOptions {
  /** @default {@link checkTimeoutMs} */
  readonly timeoutMs?: number
  /** Ends the check: it is `not-run` then. */
  readonly signal?: AbortSignal
}

/** Checks one requirement. Never throws: whatever goes wrong is a verdict. */
export async function checkRequirement(
  requirement: Requirement,
  target: Target,
  { signal, timeoutMs = requirement.slow ? checkTimeoutMs.slow : checkTimeoutMs.other }: CheckOptions = {},
): Promise<Result> {
  const startedAt = performance.now()
  const missing = whyNotTestable(requirement, target)
  if (missing !== undefined) return toResult(requirement, { verdict: 'not-testable', message: missing })

  const context = createContext(target)
  const finish = (verdict: Verdict, message: string): Result => {
    const evidence =
      verdict === 'pass' ? {} : { transcript: context.transcript.toString(), curl: toCurl(context.transcript) }
    const durationMs = Math.round(performance.now() - startedAt)
    return toResult(requirement, { verdict, message: context.transcript.conceal(message), durationMs, ...evidence })
  }
  try {
    await within(untilAborted(requirement.check(context), signal), timeoutMs, 'The end of the check')
    return finish('pass', '')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (signal?.aborted) return finish('not-run', toReason(signal))
    if (error instanceof NotTestable) return finish('not-testable', message)
    // What a check cannot read it must say; an error of its own says nothing of the server.
    if (isOwnError(error)) return finish('not-testable', `the check itself failed, please report it: ${message}`)
    return finish(unmetVerdict[requirement.level], message)
  } finally {
    await context.close()
  }
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

function isOwnError(error: unknown): boolean {
  const isJson = error instanceof SyntaxError
  const isKnown = error instanceof Mismatch || error instanceof TimeLimit || isJson
  // Errors of connections carry the system's code.
  return !isKnown && !(error instanceof Error && 'code' in error) && isProgrammingError(error)
}

function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await promise
  signal.throwIfAborted()
  let stop: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
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
