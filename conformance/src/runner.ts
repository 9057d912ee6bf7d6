import { createContext } from './client/context.ts'
import { NotTestable } from './client/expect.ts'
import { missingNeed, probeTarget, type Target } from './client/target.ts'
import { within } from './client/waiting.ts'
import type { Verdict } from './report.ts'
import { holdsFor, type Level, type Requirement, type Revision } from './requirement.ts'
import { requirements } from './requirements/index.ts'

export interface Result {
  readonly id: string
  readonly level: Level
  readonly verdict: Verdict
  /** Why not; empty for `pass`. */
  readonly message: string
  /** What was sent and received. */
  readonly transcript: string
  readonly durationMs: number
}

export interface RunOptions {
  readonly url: string | URL
  /** Ids, or beginnings of ids that end in a slash (`session/`). All by default. */
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
  /** Limit for one check, in milliseconds. @default 20_000 */
  readonly timeoutMs?: number
  /** Checks at the same time. Those that measure time always run alone. @default 4 */
  readonly concurrency?: number
  /** Revision to open sessions with. @default the latest the server speaks */
  readonly version?: Revision
  readonly onResult?: (result: Result) => void
}

/** Checks the server at `url`. Results come in the order of the catalogue. */
export async function runRequirements(options: RunOptions): Promise<Result[]> {
  const target = await probeTarget(
    new URL(options.url),
    options.version === undefined ? {} : { revision: options.version },
  )
  const chosen = selectRequirements(options.only, options.skip)
  const results = new Map<string, Result>()
  const runOne = async (requirement: Requirement) => {
    const result = await checkRequirement(requirement, target, options.timeoutMs)
    results.set(requirement.id, result)
    options.onResult?.(result)
  }
  const together = chosen.filter((requirement) => !requirement.alone)
  const alone = chosen.filter((requirement) => requirement.alone)
  await inParallel(together, options.concurrency ?? 4, runOne)
  await inParallel(alone, 1, runOne)
  return chosen.map((requirement) => results.get(requirement.id)).filter((result) => result !== undefined)
}

/** Checks one requirement. Never throws: whatever goes wrong is a verdict. */
export async function checkRequirement(requirement: Requirement, target: Target, timeoutMs = 20_000): Promise<Result> {
  const { id, level } = requirement
  const startedAt = performance.now()
  const finish = (verdict: Verdict, message: string, transcript = ''): Result => {
    return { id, level, verdict, message, transcript, durationMs: Math.round(performance.now() - startedAt) }
  }
  if (requirement.era === 'legacy' && !target.offers.has('legacy'))
    return finish('not-testable', 'needs a server that speaks a revision up to 2025-11-25')
  if (requirement.era === 'modern' && !target.offers.has('modern'))
    return finish('not-testable', 'needs a server that speaks 2026-07-28')
  if (requirement.era === 'legacy' && !holdsFor(requirement, target.version))
    return finish('not-testable', `does not apply to ${target.version}`)
  const missing = missingNeed(target, requirement.needs)
  if (missing !== undefined) return finish('not-testable', missing)

  const context = createContext(target)
  try {
    await within(requirement.check(context), timeoutMs, 'The end of the check')
    return finish('pass', '')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof NotTestable) return finish('not-testable', message)
    return finish(unmetVerdict[level], message, context.transcript.toString())
  } finally {
    await context.close()
  }
}

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

export function selectRequirements(only?: readonly string[], skip: readonly string[] = []): Requirement[] {
  const matches = (id: string, patterns: readonly string[]) => {
    return patterns.some((pattern) => (pattern.endsWith('/') ? id.startsWith(pattern) : id === pattern))
  }
  return requirements.filter(({ id }) => (only === undefined || matches(id, only)) && !matches(id, skip))
}

async function inParallel<T>(items: readonly T[], limit: number, run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await run(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}
