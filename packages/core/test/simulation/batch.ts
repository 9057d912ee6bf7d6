import type { Sentence } from './database.ts'
import { runWorld } from './world.ts'

export interface Found {
  readonly seed: number
  readonly rule: string
  readonly what: string
}

/** What a number of worlds came to. */
export interface Summary {
  readonly counts: Readonly<Record<string, number>>
  readonly violations: readonly Found[]
  /** Of all of its sessions: see {@link Histories}. */
  readonly histories: readonly number[]
}

/** Runs the worlds of neighbouring seeds. Must not be called from within a promise. */
export function runBatch({ from, worlds, broken }: { from: number; worlds: number; broken?: Sentence }): Summary {
  const counts: Record<string, number> = { worlds }
  const found: Found[] = []
  const all: number[] = []
  for (let seed = from; seed < from + worlds; seed++) {
    const { seed: _seed, violations, outcomes, nemeses: _nemeses, histories, ...others } = runWorld({ seed, broken })
    all.push(...histories)
    for (const [name, count] of Object.entries(others)) counts[name] = (counts[name] ?? 0) + count
    const [first] = violations
    if (first) found.push({ seed, rule: first.rule, what: first.what })
  }
  return { counts, violations: found, histories: all }
}

export interface Total {
  violations: number
  firstSeed: number | undefined
  readonly interleavings: number
  add(summary: Summary): void
  toText(seconds: number): string
}

export function total(): Total {
  const counts: Record<string, number> = {}
  const histories = new Set<number>()
  return {
    violations: 0,
    firstSeed: undefined,
    get interleavings() {
      return histories.size
    },
    add(summary) {
      for (const [name, count] of Object.entries(summary.counts)) counts[name] = (counts[name] ?? 0) + count
      for (const history of summary.histories) histories.add(history)
      this.violations += summary.violations.length
      this.firstSeed ??= summary.violations[0]?.seed
    },
    toText(seconds) {
      const { worlds = 0, sessions = 0, steps = 0, appends = 0, delivered = 0, takeovers = 0, gaps = 0 } = counts
      return [
        `${histories.size} interleavings, ${Math.round(histories.size / seconds)} a second: orders, each counted once,`,
        'in which a session met its appends, takeovers, failed commands, lost messages and what befell its node.',
        `${sessions} sessions in ${worlds} worlds, ${steps} steps, ${appends} appends, ${delivered} deliveries, ${takeovers} takeovers, ${gaps} gaps told;`,
        `${this.violations} violations`,
      ].join(' ')
    },
  }
}
