/** Everything that must not happen. */
export const faultKinds = [
  'lost',
  'doubled',
  'reordered',
  'foreign',
  'phantom',
  'hung',
  'refused',
  'stray',
  'died',
  'held',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** What may come of a wait that was too long. */
const ofTime: readonly FaultKind[] = ['hung', 'refused']

/** Counts what happened, and what must not. */
export class Tally {
  readonly faults: Record<FaultKind, number> = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as never
  readonly figures: Record<string, number> = {}
  /** Called with every fault, as it is found. */
  onFault: ((kind: FaultKind, text: string) => void) | undefined
  readonly #cannotJudgeTime: () => boolean

  constructor(cannotJudgeTime: () => boolean = () => false) {
    this.#cannotJudgeTime = cannotJudgeTime
  }

  fault(kind: FaultKind, text: string): void {
    if (ofTime.includes(kind) && this.#cannotJudgeTime()) return this.count(`${kind}, after this process stood still`)
    this.faults[kind]++
    this.onFault?.(kind, text)
  }

  count(figure: string, times = 1): void {
    this.figures[figure] = (this.figures[figure] ?? 0) + times
  }

  get total(): number {
    return Object.values(this.faults).reduce((sum, count) => sum + count, 0)
  }
}

/** `p50 1200 ms, p99 1400 ms of 20` */
export function toQuantiles(times: readonly number[]): string {
  if (times.length === 0) return 'none'
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, of ${sorted.length}`
}
