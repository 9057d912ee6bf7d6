import { isUnmet } from './baseline.ts'
import { findAilment } from './client/health.ts'
import { saysRateLimited } from './client/pace.ts'
import type { Target } from './client/target.ts'
import { type Lane, toLanes } from './lanes.ts'
import type { Result } from './report.ts'
import type { Requirement } from './requirement.ts'
import type { RunOptions } from './run-conformance.ts'
import { checkRequirement, toReason, toResult } from './runner.ts'

/** How much longer a run may take for each millisecond of the way to the server. */
const roundTripsOfARun = 2_500

/** Of the time of a run, what the many checks that run together may take, so that those that run alone have their turn. */
const shareTogether = 0.75

/** So many checks without an answer but 429 tell that no other will have one. */
const mostLimited = 5

/** One server being checked. */
export class Run {
  readonly #options: RunOptions
  readonly #target: Target
  readonly #startedAt: number
  readonly #timeoutMs: number
  readonly #ended = new AbortController()
  readonly #results = new Map<string, Result>()
  /** Not met, or not set up, beside other checks. */
  readonly #unsettled = new Map<Requirement, Result>()
  #looking: Promise<void> | undefined
  /** Checks that were not begun, as their share of the time was over. */
  #late = 0
  #limited = 0

  /** `startedAt` as `performance.now()` has it: finding out what the server offers counts. */
  constructor(target: Target, options: RunOptions, startedAt: number) {
    this.#options = options
    this.#target = target
    this.#startedAt = startedAt
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs(options, target)
  }

  async checkAll(chosen: readonly Requirement[]): Promise<Result[]> {
    const { signal, concurrency = 8 } = this.#options
    const interrupt = () => this.#end(signal === undefined ? '' : toReason(signal))
    signal?.addEventListener('abort', interrupt, { once: true })
    if (signal?.aborted) interrupt()
    const timer = setTimeout(() => this.#end(timeUp(this.#timeoutMs)), this.#left(1))
    const lanes = toLanes(this.planned(chosen), concurrency)
    for (const lane of lanes) {
      const share = lane === lanes.at(-1) ? 1 : shareTogether
      await this.#work(lane, share)
      await this.#settle(lane, share)
    }
    clearTimeout(timer)
    signal?.removeEventListener('abort', interrupt)
    return chosen.map((requirement) => this.#results.get(requirement.id) ?? this.#notRun(requirement))
  }

  /** Why the run is not complete; empty when it is. */
  get incomplete(): string {
    if (this.#ended.signal.aborted) return toReason(this.#ended.signal)
    const results = [...this.#results.values()]
    if (this.#late > 0) return `${this.#late} checks were left out: ${timeUp(this.#timeoutMs)}`
    if (this.#limited > 0) return `rate-limited: ${this.#limited} checks got no answer but 429`
    const lost = results.filter(({ verdict }) => verdict === 'not-set-up').length
    return lost === 0 ? '' : `${lost} checks could not be set up`
  }

  /** Those of `chosen` that this run asks for. */
  planned(chosen: readonly Requirement[]): Requirement[] {
    return chosen.filter((requirement) => this.#whyNotAsked(requirement) === undefined)
  }

  async #work(lane: Lane, share: number): Promise<void> {
    const queue = lane.checks.values()
    const work = async (index: number) => {
      for (const requirement of queue) {
        const result = await this.#check(requirement, lane, share)
        if (lane.atOnce > 1 && (isUnmet(result) || result.verdict === 'not-set-up'))
          this.#unsettled.set(requirement, result)
        else this.#take(result)
        // A server that wants to be spared is asked by fewer at once.
        if (index > 0 && index >= lane.atOnce / (this.#target.client.pace?.thinning ?? 1)) return
      }
    }
    await Promise.all(Array.from({ length: lane.atOnce }, (_, index) => work(index)))
  }

  /**
   * A server that mixes sessions up may have failed a check by what ran beside it. Where a check was seen to get what
   * belongs to another it is judged anew with nothing beside it; the mixing itself is for the checks that are about it.
   */
  async #settle(lane: Lane, share: number): Promise<void> {
    const alone = { ...lane, atOnce: 1 }
    for (const [requirement, result] of this.#unsettled) {
      const isDisturbed = this.#target.witness.wasDisturbed(requirement.id)
      const isLate = this.#ended.signal.aborted || this.#left(share) <= 0
      const anew = isDisturbed && !isLate ? await this.#check(requirement, alone, share) : result
      this.#take(anew.verdict === 'not-run' ? result : anew)
    }
    this.#unsettled.clear()
  }

  #take(result: Result): void {
    this.#results.set(result.id, result)
    this.#options.onResult?.(result)
  }

  async #check(requirement: Requirement, lane: Lane, share: number): Promise<Result> {
    const { signal } = this.#ended
    if (signal.aborted) return this.#notRun(requirement)
    if (lane.atOnce > 1 && this.#left(share) <= 0) {
      this.#late += 1
      return this.#notRun(requirement, timeUp(this.#timeoutMs))
    }
    const result = await checkRequirement(requirement, this.#target, { signal })
    if (saysRateLimited(result)) this.#countLimited(result.message)
    if (lane.isWatched) return await this.#watched(result)
    if (looksIll(result) || (lane.isFirst && result.verdict === 'fail')) await this.#lookAfter(requirement, lane)
    return result
  }

  /** What breaks the server is a failure, whatever it was to show. */
  async #watched(result: Result): Promise<Result> {
    const ailment = this.#ended.signal.aborted ? undefined : await findAilment(this.#target)
    if (ailment === undefined) return result
    this.#end(`since ${result.id} the server ${ailment}`)
    return { ...result, verdict: 'fail', message: `after this check the server no longer works: it ${ailment}` }
  }

  #countLimited(message: string): void {
    this.#limited += 1
    if (this.#limited >= mostLimited) this.#end(message)
  }

  /** After a sign that the server is ill: one look, for all checks that saw the sign. */
  async #lookAfter({ id }: Requirement, { atOnce }: Lane): Promise<void> {
    this.#looking ??= this.#look(atOnce > 1 ? `${id}, or a check beside it,` : id).finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #look(since: string): Promise<void> {
    if (this.#ended.signal.aborted) return
    const ailment = await findAilment(this.#target)
    if (ailment !== undefined) this.#end(`since ${since} the server ${ailment}`)
  }

  #whyNotAsked({ slow, abuse }: Requirement): string | undefined {
    if (abuse && this.#options.abuse !== true) return 'could harm a real server: runs with --abuse'
    return slow && this.#options.slow !== true ? 'takes long: runs with --slow' : undefined
  }

  #notRun(requirement: Requirement, reason = toReason(this.#ended.signal)): Result {
    const message = this.#whyNotAsked(requirement) ?? reason
    return toResult(requirement, { verdict: 'not-run', message })
  }

  /** What is left of a share of the time, in milliseconds. */
  #left(share: number): number {
    return this.#startedAt + share * this.#timeoutMs - performance.now()
  }

  #end(reason: string): void {
    this.#ended.abort(new Error(reason))
  }
}

/** Limit for a run whose caller names none, in milliseconds. */
function defaultTimeoutMs({ slow = false, abuse = false }: RunOptions, { roundTripMs }: Target): number {
  return (slow || abuse ? 300_000 : 60_000) + roundTripsOfARun * roundTripMs
}

function timeUp(ms: number): string {
  return `the run was to end after ${ms} ms, --timeout gives it longer`
}

function looksIll({ verdict, message }: Result): boolean {
  if (verdict === 'not-set-up') return true
  return (
    isUnmet({ verdict }) &&
    /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|hang up|connection broke|did not come/.test(message)
  )
}
