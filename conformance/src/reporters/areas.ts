import { areaOf, type Report, type Result } from '../report.ts'

/** Results by area, areas in the order in which they first come. */
export function groupByArea(results: readonly Result[]): Map<string, Result[]> {
  return groupBy(results, ({ id }) => areaOf(id))
}

export function groupBy<T, K>(items: readonly T[], toKey: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = toKey(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** One requirement, and what it came to in each report; `undefined` where a report does not have it. */
export interface MatrixRow {
  /** The result that says what the requirement is. */
  readonly requirement: Result
  readonly cells: readonly (Result | undefined)[]
}

/** Every requirement that any of the reports has. Those of the first report come first, in its order. */
export function toMatrix(reports: readonly Report[]): MatrixRow[] {
  const requirements = new Map<string, Result>()
  const byReport = reports.map(({ results }) => new Map(results.map((result) => [result.id, result])))
  for (const results of byReport) {
    for (const [id, result] of results) if (!requirements.has(id)) requirements.set(id, result)
  }
  const rows = [...requirements.values()].map((requirement) => ({
    requirement,
    cells: byReport.map((results) => results.get(requirement.id)),
  }))
  // What only a later report has joins its area.
  return [...groupBy(rows, ({ requirement }) => areaOf(requirement.id)).values()].flat()
}
