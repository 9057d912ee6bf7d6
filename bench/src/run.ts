import { ServerProcess } from './server-process.ts'
import { findTarget } from './targets/index.ts'
import type { Target } from './targets/target.ts'
import type { Case, Figures, Prepared, Scale, Workload } from './workloads/workload.ts'

export interface RunSettings {
  /** The program `node` that the servers run on. */
  readonly node: string
  readonly rounds: number
  readonly sliceMs: number
  /** Of each server, before its first counted slice. */
  readonly warmUpMs: number
  /** Of each server before every other one: with many targets it was idle for minutes, and its first second costs twice as much. */
  readonly rewarmMs: number
  readonly scale: Scale
  /** What is being done. */
  readonly onProgress: (text: string) => void
}

/** What one target did in one slice. */
export interface Slice {
  readonly case: string
  readonly target: string
  /** Counts up from 1; 0 for what is measured after the last. */
  readonly round: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly figures: Figures
  /** The ratio figure ÷ the mean of the same of `dispatch` in the slices before and after. */
  readonly ratio?: number
}

export interface WorkloadResult {
  readonly workload: Workload
  readonly slices: readonly Slice[]
  /** Targets that could not be measured, and why. */
  readonly failures: readonly { readonly case: string; readonly target: string; readonly error: string }[]
}

export const baselineName = 'dispatch'

/**
 * Runs one workload: all servers up at once, targets in turn within each round, the baseline before, between and after
 * them, so that what the machine does meanwhile meets both sides of each ratio.
 */
export async function runWorkload(
  workload: Workload,
  { entry, targets, settings }: { entry: string; targets: readonly Target[]; settings: RunSettings },
): Promise<WorkloadResult> {
  const able = targets.filter((target) => target.workloads.includes(workload.name))
  const baseline = findTarget(baselineName)
  // W6 has no dispatch: it has no log to resume from. In W9 the baseline is only there for the ratio.
  const hasBaseline = baseline.workloads.includes(workload.name) || workload.name === 'W9'
  const all = hasBaseline && !able.includes(baseline) ? [baseline, ...able] : able
  const run = new WorkloadRun(workload, settings)
  try {
    if (able.length > 0) await run.start(entry, all)
    for (const one of workload.cases(settings.scale)) await run.runCase(one)
  } finally {
    await run.stop()
  }
  return { workload, slices: run.slices, failures: run.failures }
}

class WorkloadRun {
  readonly slices: Slice[] = []
  readonly failures: { case: string; target: string; error: string }[] = []
  readonly #workload: Workload
  readonly #settings: RunSettings
  #servers: ServerProcess[] = []
  readonly #warm = new Set<ServerProcess>()

  constructor(workload: Workload, settings: RunSettings) {
    this.#workload = workload
    this.#settings = settings
  }

  async start(entry: string, targets: readonly Target[]): Promise<void> {
    const started = await Promise.all(targets.map((target) => this.#startOne(entry, target)))
    this.#servers = started.filter((server) => server !== undefined)
  }

  async #startOne(entry: string, target: Target): Promise<ServerProcess | undefined> {
    try {
      return await ServerProcess.start(entry, target, this.#settings.node)
    } catch (error) {
      this.#fail('start', target.name, error)
      return undefined
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
  }

  async runCase(one: Case): Promise<void> {
    const { preparation } = this.#workload
    const lanes = this.#servers.map((server) => new Lane(server, one, preparation === 'kept'))
    for (const lane of lanes) await this.#guarded(one, lane, () => this.#warmUp(lane))
    const rounds = preparation === 'once' ? 1 : this.#settings.rounds
    for (let round = 1; round <= rounds; round++) await this.#runRound(one, round, lanes)
    for (const lane of lanes) {
      await this.#guarded(one, lane, async () => {
        const figures = await lane.finish()
        if (figures) this.#record(one, lane, { round: 0, figures })
      })
    }
    for (const lane of lanes) await this.#guarded(one, lane, () => lane.close())
  }

  /** Fully before the first case; what the next ones have not met yet takes less. */
  async #warmUp(lane: Lane): Promise<void> {
    if (this.#workload.preparation === 'once') return
    const { warmUpMs } = this.#settings
    this.#settings.onProgress(`${this.#workload.name} ${lane.name}: warm-up`)
    await lane.slice(this.#warm.has(lane.server) ? warmUpMs / 5 : warmUpMs)
    this.#warm.add(lane.server)
  }

  /** Baseline, A, baseline, B, … baseline. */
  async #runRound(one: Case, round: number, lanes: readonly Lane[]): Promise<void> {
    const baseline = lanes.find(({ name }) => name === baselineName)
    const others = lanes.filter((lane) => lane !== baseline)
    // Memory does not depend on the moment: the baseline is measured once.
    const isBetween = this.#workload.preparation !== 'once'
    let before = baseline && (await this.#measure(one, round, baseline))
    for (const lane of others) {
      if (this.#workload.preparation === 'kept') {
        await this.#guarded(one, lane, () => lane.slice(this.#settings.rewarmMs))
      }
      const figures = await this.#slice(one, lane)
      const after = baseline && isBetween ? await this.#measure(one, round, baseline) : before
      if (figures) this.#record(one, lane, { round, figures, ...this.#toRatio(figures, [before, after]) })
      before = after ?? before
    }
  }

  async #measure(one: Case, round: number, baseline: Lane): Promise<Figures | undefined> {
    const figures = await this.#slice(one, baseline)
    if (figures) this.#record(one, baseline, { round, figures, ratio: 1 })
    return figures
  }

  async #slice(one: Case, lane: Lane): Promise<Figures | undefined> {
    this.#settings.onProgress(`${this.#workload.name} ${one.name}: ${lane.name}`)
    return this.#guarded(one, lane, () => lane.slice(this.#settings.sliceMs))
  }

  #toRatio(figures: Figures, baselines: readonly (Figures | undefined)[]): { ratio?: number } {
    const { key } = this.#workload.ratio
    const values = baselines.flatMap((baseline) => baseline?.[key] ?? [])
    const own = figures[key]
    if (values.length === 0 || own === undefined) return {}
    return { ratio: own / (values.reduce((sum, value) => sum + value, 0) / values.length) }
  }

  #record(one: Case, lane: Lane, slice: Pick<Slice, 'round' | 'figures' | 'ratio'>): void {
    this.slices.push({ case: one.name, target: lane.name, at: Date.now(), ...slice })
  }

  /** A target that fails is left out from there on: one peer that breaks must not end the run. */
  async #guarded<T>(one: Case, lane: Lane, work: () => Promise<T>): Promise<T | undefined> {
    if (lane.failed) return undefined
    try {
      return await work()
    } catch (error) {
      lane.failed = true
      this.#fail(one.name, lane.name, error)
      return undefined
    }
  }

  #fail(caseName: string, target: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.#settings.onProgress(`${this.#workload.name} ${caseName}: ${target} failed: ${text}`)
    this.failures.push({ case: caseName, target, error: text })
  }
}

/** One target in one case, prepared when it is needed. */
class Lane {
  failed = false
  readonly server: ServerProcess
  readonly #case: Case
  readonly #isKept: boolean
  #prepared: Prepared | undefined

  constructor(server: ServerProcess, one: Case, isKept: boolean) {
    this.server = server
    this.#case = one
    this.#isKept = isKept
  }

  get name(): string {
    return this.server.target.name
  }

  async slice(durationMs: number): Promise<Figures> {
    this.#prepared ??= await this.#case.prepare(this.server)
    const figures = await this.#prepared.slice(durationMs)
    if (!this.#isKept) await this.close()
    return figures
  }

  async finish(): Promise<Figures | undefined> {
    return this.#prepared?.finish?.()
  }

  async close(): Promise<void> {
    const prepared = this.#prepared
    this.#prepared = undefined
    await prepared?.close()
  }
}
