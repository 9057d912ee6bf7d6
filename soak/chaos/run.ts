import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../random.ts'
import { type FaultKind, Tally } from './check/tally.ts'
import type { ChaosWorld } from './clients/chaos-world.ts'
import { populateOfficial } from './clients/official.ts'
import { populate } from './clients/population.ts'
import { Deployment } from './deployment.ts'
import { nemeses } from './nemeses.ts'
import type { PlannedFault } from './plan.ts'
import type { Recovery } from './probe.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly runMs: number
  readonly nodes: number
  readonly clients: number
  readonly officialClients: number
  readonly plan: readonly PlannedFault[]
  readonly print: (line: string) => void
  readonly onFault?: (kind: FaultKind, text: string) => void
}

export interface ChaosResult {
  readonly tally: Tally
  readonly recoveries: readonly Recovery[]
  readonly nemeses: Readonly<Record<string, number>>
  /** What the nodes' `onError` heard, and how often. */
  readonly errors: ReadonlyMap<string, number>
  /** Of any node, in bytes. */
  readonly maxRss: number
}

const hungAfterMs = 30_000

/** Clients on several nodes, and a plan of faults. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const tally = new Tally()
  const random = new Random(options.seed)
  tally.onFault = options.onFault
  const deployment = await Deployment.start(options.nodes, tally, random.fork(0))
  try {
    return await new ChaosRun(deployment, tally, random, options).run()
  } finally {
    await deployment.stop()
  }
}

class ChaosRun {
  readonly #deployment: Deployment
  readonly #tally: Tally
  readonly #random: Random
  readonly #options: ChaosOptions
  readonly #stop = new AbortController()
  readonly #recoveries: Recovery[] = []
  readonly #nemeses: Record<string, number> = {}
  #names = 0

  constructor(deployment: Deployment, tally: Tally, random: Random, options: ChaosOptions) {
    this.#deployment = deployment
    this.#tally = tally
    this.#random = random
    this.#options = options
  }

  async run(): Promise<ChaosResult> {
    const { clients, officialClients, runMs } = this.#options
    const world = this.#toWorld()
    const until = performance.now() + runMs
    const population = Promise.all([
      populate(world, this.#random.fork(1), clients),
      populateOfficial(world, this.#random.fork(3), officialClients),
    ])
    await this.#disturb(world, until)
    await sleep(Math.max(0, until - performance.now()))
    this.#stop.abort()
    await Promise.race([population, this.#overdue()])
    await this.#deployment.judgeHeld()
    const { errors, maxRss } = this.#deployment
    return { tally: this.#tally, recoveries: this.#recoveries, nemeses: this.#nemeses, errors, maxRss }
  }

  #toWorld(): ChaosWorld {
    const deployment = this.#deployment
    return {
      tally: this.#tally,
      journal: deployment.journal,
      hungAfterMs,
      stopped: this.#stop.signal,
      url: () => deployment.url(),
      urls: () => deployment.urls(),
      hasLostSince: (time) => deployment.hasLostSince(time),
      nextName: () => `client-${++this.#names}`,
    }
  }

  async #disturb(world: ChaosWorld, until: number): Promise<void> {
    const startedAt = performance.now()
    const parts = { deployment: this.#deployment, world, random: this.#random.fork(2), recoveries: this.#recoveries }
    for (const fault of this.#options.plan) {
      await sleep(Math.min(fault.afterMs, Math.max(0, until - performance.now())))
      if (performance.now() >= until) return
      const at = ((performance.now() - startedAt) / 1_000).toFixed(1)
      this.#options.print(`${at} s: ${fault.nemesis}, node ${fault.node}, strength ${fault.strength.toFixed(2)}`)
      await nemeses[fault.nemesis](parts, fault)
      this.#nemeses[fault.nemesis] = (this.#nemeses[fault.nemesis] ?? 0) + 1
    }
  }

  /** After the stop every client has an end in sight. */
  async #overdue(): Promise<void> {
    await sleep(4 * hungAfterMs, undefined, { ref: false })
    this.#tally.fault('hung', 'clients have not left')
  }
}
