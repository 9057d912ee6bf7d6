import { parse } from 'yaml'
import type { Report, Result } from './report.ts'
import { requirements } from './requirements/index.ts'

/** Requirements that a server is known not to meet, each with the reason. */
export type Baseline = ReadonlyMap<string, string>

/** What a baseline says of a report. */
export interface Comparison {
  /** Not met, and listed. */
  readonly known: readonly Result[]
  /** Listed, and met: the entry is to be deleted. */
  readonly stale: readonly string[]
  /** Not met at a level that fails the run, and not listed. */
  readonly failed: readonly Result[]
}

const unmet: ReadonlySet<string> = new Set(['fail', 'warn', 'advice', 'info'])

/** `true` for what was tested and is not met, at whatever level. */
export function isUnmet({ verdict }: Pick<Result, 'verdict'>): boolean {
  return unmet.has(verdict)
}

/**
 * Reads a baseline: YAML (or JSON) that maps ids to reasons, or lists ids. Also the official suite's form, a list under
 * `server`. Throws `TypeError` when it is anything else, or names no requirement.
 */
export function readBaseline(text: string): Baseline {
  const baseline = new Map<string, string>()
  const known = new Set(requirements.map(({ id }) => id))
  for (const [id, reason] of toEntries(readYaml(text))) {
    if (!known.has(id)) throw new TypeError(`Expected the id of a requirement in the baseline, got "${id}"`)
    baseline.set(id, reason)
  }
  return baseline
}

function readYaml(text: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    throw new TypeError(`Expected the baseline to be YAML or JSON: ${error instanceof Error ? error.message : error}`)
  }
}

function toEntries(value: unknown): [string, string][] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.map((id) => [String(id), ''])
  if (typeof value !== 'object') {
    throw new TypeError(`Expected the baseline to map ids to reasons, got ${JSON.stringify(value)}`)
  }
  if ('server' in value) return toEntries(value.server)
  return Object.entries(value).map(([id, reason]) => [id, reason === null ? '' : String(reason)])
}

/** Holds a report against a baseline. `strict`: a SHOULD that is not met fails the run too. */
export function compareWithBaseline({ results }: Report, baseline: Baseline, strict: boolean): Comparison {
  const fails = ({ verdict }: Result) => verdict === 'fail' || (strict && verdict === 'warn')
  return {
    known: results.filter((result) => baseline.has(result.id) && isUnmet(result)),
    stale: results.filter(({ id, verdict }) => baseline.has(id) && verdict === 'pass').map(({ id }) => id),
    failed: results.filter((result) => fails(result) && !baseline.has(result.id)),
  }
}
