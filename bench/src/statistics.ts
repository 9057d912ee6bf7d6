/** Linear between the two nearest ranks. `sorted` is ascending and not empty. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export interface Summary {
  readonly median: number
  readonly low: number
  readonly high: number
  /** Distance of the quartiles, as a part of the median. */
  readonly spread: number
  readonly count: number
}

export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b)
  const median = quantile(sorted, 0.5)
  return {
    median,
    low: quantile(sorted, 0),
    high: quantile(sorted, 1),
    spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median,
    count: sorted.length,
  }
}
