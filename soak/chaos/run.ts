import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../random.ts'
import { Standstill } from './check/standstill.ts'
import { type FaultKind, Tally } from './check/tally.ts'
import type { ChaosWorld } from './clients/chaos-world.ts'
import { populateOfficial } from './clients/official.ts'
import { populate } from './clients/population.ts'
import { Deployment, type StoreName } from './deployment.ts'
import { nemeses } from './nemeses.ts'
import type { PlannedFault } from './plan.ts'
import type { Recovery } from './probe.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly runMs: number
  readonly nodes: number
  /** @default 'redis' */
  readonly store?: StoreName
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
  const standstill = new Standstill((ms) => options.print(`this process stood still for ${ms} ms`))
  const tally = new Tally(() => standstill.isRecent)
  const random = new Random(options.seed)
  tally.onFault = options.onFault
  const deployment = await Deployment.start(options.nodes, options.store ?? 'redis', tally, random.fork(0))
  try {
    return await new ChaosRun({ deployment, standstill, tally, random }, options).run()
  } finally {
    standstill.stop()
    await deployment.stop()
  }
}

interface ChaosParts {
  readonly deployment: Deployment
  readonly standstill: Standstill
  readonly tally: Tally
  readonly random: Random
}

class ChaosRun {
  readonly #deployment: Deployment
  readonly #standstill: Standstill
  readonly #tally: Tally
  readonly #random: Random
  readonly #options: ChaosOptions
  readonly #stop = new AbortController()
  readonly #recoveries: Recovery[] = []
  readonly #nemeses: Record<string, number> = {}
  #names = 0

  constructor({ deployment, standstill, tally, random }: ChaosParts, options: ChaosOptions) {
    this.#deployment = deployment
    this.#standstill = standstill
    this.#tally = tally
    this.#random = random
    this.#options = options
  }

  async run(): Promise<ChaosResult> {
    const { clients, officialClients, runMs } = this.#options
    const world = this.#toWorld()
    const since = performance.now()
    const leftMs = () => since + runMs + this.#standstill.totalMs - performance.now()
    const population = Promise.all([
      populate(world, this.#random.fork(1), clients),
      populateOfficial(world, this.#random.fork(3), officialClients),
    ])
    await this.#disturb(world, leftMs)
    while (leftMs() > 0) await sleep(leftMs())
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
      hasEndedSince: (url, time) => deployment.hasEndedSince(url, time),
      heardAll: () => deployment.heardAll(),
      nextName: () => `client-${++this.#names}`,
    }
  }

  async #disturb(world: ChaosWorld, leftMs: () => number): Promise<void> {
    const startedAt = performance.now()
    const parts = { deployment: this.#deployment, world, random: this.#random.fork(2), recoveries: this.#recoveries }
    for (const fault of this.#options.plan) {
      await sleep(Math.min(fault.afterMs, Math.max(0, leftMs())))
      if (leftMs() <= 0) return
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
