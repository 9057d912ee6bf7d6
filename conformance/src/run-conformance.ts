import { isHealthy } from './client/health.ts'
import { type ProbeOptions, probeTarget, type Target } from './client/target.ts'
import { delay } from './client/waiting.ts'
import { areaOf, countVerdicts, type Report, type Result, type TargetSummary } from './report.ts'
import type { Requirement } from './requirement.ts'
import { checkRequirement, revisionsOf, selectRequirements, toReason, toResult } from './runner.ts'
import { suite } from './suite.ts'

export interface RunOptions extends ProbeOptions {
  readonly url: string | URL
  /** Ids, or beginnings of ids that end in a slash (`session/`). All by default. */
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
  /** Also runs checks that wait for longer than 5 seconds. @default false */
  readonly slow?: boolean
  /** Also runs checks that could harm a real server: floods, oversize bodies, slow senders. @default false */
  readonly abuse?: boolean
  /**
   * Limit for the whole run, in milliseconds. What has not run by then is `not-run`.
   * @default 60_000, and 300_000 with `slow` or `abuse`
   */
  readonly timeoutMs?: number
  /** Checks at the same time. Those that measure time always run alone. @default 8 */
  readonly concurrency?: number
  /** Ends the run: what has not run by then is `not-run`. */
  readonly signal?: AbortSignal
  /** Called once the server was found, with the number of checks that will run. */
  readonly onStart?: (target: TargetSummary, total: number) => void
  readonly onResult?: (result: Result) => void
}

/**
 * Checks the server at `url`. Rejects with {@link TargetError} when no MCP server answers there, and with `TypeError` when
 * an option is wrong; everything else is in the report.
 */
export async function runConformance(options: RunOptions): Promise<Report> {
  const startedAt = new Date()
  const chosen = selectRequirements(options.only, options.skip)
  const run = new Run(options)
  const target = await probeTarget(toUrl(options.url), options)
  const results = await run.checkAll(chosen, target)
  return {
    version: 1,
    suite,
    target: summarize(target),
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    incomplete: run.signal.aborted ? toReason(run.signal) : '',
    counts: countVerdicts(results),
    results,
  }
}

/** One server being checked. */
class Run {
  readonly signal: AbortSignal
  readonly #options: RunOptions
  readonly #ended = new AbortController()
  #looking: Promise<void> | undefined

  constructor(options: RunOptions) {
    this.#options = options
    const { slow = false, abuse = false, timeoutMs = slow || abuse ? 300_000 : 60_000, signal } = options
    if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1) {
      throw new TypeError(`Expected timeoutMs to be a whole number from 1, got ${timeoutMs}`)
    }
    const timeUp = AbortSignal.timeout(timeoutMs)
    timeUp.addEventListener('abort', () => this.#end(`the run was to end after ${timeoutMs} ms`), { once: true })
    signal?.addEventListener('abort', () => this.#end(toReason(signal)), { once: true })
    if (signal?.aborted) this.#end(toReason(signal))
    this.signal = this.#ended.signal
  }

  async checkAll(chosen: readonly Requirement[], target: Target): Promise<Result[]> {
    const { onStart, onResult, concurrency = 8 } = this.#options
    const results = new Map<string, Result>()
    const planned = chosen.filter((requirement) => this.#whyNotAsked(requirement) === undefined)
    onStart?.(summarize(target), planned.length)
    const check = async (requirement: Requirement): Promise<void> => {
      const result = await this.#check(requirement, target)
      results.set(requirement.id, result)
      onResult?.(result)
    }
    const lanes = toLanes(planned)
    await inParallel(lanes.together, concurrency, check)
    await inParallel(lanes.waiting, lanes.waiting.length, check)
    await inParallel(lanes.alone, 1, check)
    await inParallel(lanes.last, 1, check)
    return chosen.map((requirement) => {
      const message = this.#whyNotAsked(requirement) ?? ''
      return results.get(requirement.id) ?? toResult(requirement, { verdict: 'not-run', message })
    })
  }

  #whyNotAsked({ slow, abuse }: Requirement): string | undefined {
    if (abuse && this.#options.abuse !== true) return 'could harm a real server: runs with --abuse'
    return slow && this.#options.slow !== true ? 'takes long: runs with --slow' : undefined
  }

  async #check(requirement: Requirement, target: Target): Promise<Result> {
    if (this.signal.aborted) return toResult(requirement, { verdict: 'not-run', message: toReason(this.signal) })
    const result = await checkRequirement(requirement, target, { signal: this.signal })
    const isUnmet = !['pass', 'not-testable', 'not-run'].includes(result.verdict)
    if (isUnmet && looksDead(result)) await this.#lookAfter(requirement, target)
    return result
  }

  /** After a sign that the server died: one look, for all checks that saw the sign. */
  async #lookAfter({ id }: Requirement, target: Target): Promise<void> {
    this.#looking ??= this.#look(id, target).finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #look(id: string, target: Target): Promise<void> {
    if (await isHealthy(target)) return
    // It may be restarting, or busy with what the check sent.
    await delay(2_000)
    if (this.signal.aborted || (await isHealthy(target))) return
    this.#end(`the server stopped answering, about when ${id} ran`)
  }

  #end(reason: string): void {
    this.#ended.abort(new Error(reason))
  }
}

function looksDead({ message }: Result): boolean {
  return /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|socket hang up|the connection broke|did not come/.test(message)
}

/** Checks that may run together, those that mostly wait, those that measure time, and the one about what the run left. */
function toLanes(planned: readonly Requirement[]) {
  const isLast = ({ id }: Requirement) => areaOf(id) === 'afterwards'
  const rest = planned.filter((requirement) => !isLast(requirement))
  return {
    together: rest.filter(({ alone, slow }) => !alone && !slow),
    waiting: rest.filter(({ alone, slow }) => !alone && slow),
    alone: rest.filter(({ alone }) => alone),
    last: planned.filter(isLast),
  }
}

function toUrl(url: string | URL): URL {
  const parsed = URL.canParse(url.toString()) ? new URL(url) : undefined
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed
  throw new TypeError(`Expected the URL of an MCP endpoint, such as http://127.0.0.1:3000/mcp, got "${url}"`)
}

function summarize(target: Target): TargetSummary {
  const offers = [...target.offers].filter((offer) => !offer.includes(':'))
  return {
    url: target.url.href,
    server: target.server,
    revision: target.offers.has('legacy') ? target.version : null,
    revisions: revisionsOf(target),
    offers,
    roles: Object.fromEntries([...target.roles].map(([role, { tool }]) => [role, tool])),
  }
}

async function inParallel<T>(items: readonly T[], limit: number, run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await run(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}
