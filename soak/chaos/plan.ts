import type { Random } from '../random.ts'

export const nemesisNames = [
  'kill',
  'stop',
  'deploy',
  'cut-bus',
  'cut-commands',
  'stall',
  'crash',
  'restart-empty',
  'flush',
  'fill',
  'fail-over',
  'rubbish',
  'slow-disk',
] as const
/** What can happen to a file. */
export const nemesesOfFile: readonly (typeof nemesisNames)[number][] = ['kill', 'stop', 'deploy', 'fill']
/** What can happen to a Redis: it keeps nothing on disk here. */
export const nemesesOfRedis = nemesisNames.filter((name) => !['crash', 'slow-disk'].includes(name))
/** What can happen to a Postgres. What a table holds nobody else writes. */
export const nemesesOfPostgres = nemesisNames.filter((name) => !['restart-empty', 'rubbish'].includes(name))
export type NemesisName = (typeof nemesisNames)[number]

/** A fault, as it was decided before the run: the same seed gives the same plan. */
export interface PlannedFault {
  readonly nemesis: NemesisName
  /** Time since the fault before is over. */
  readonly afterMs: number
  readonly node: number
  /** From 0 to 1: how long it lasts, between what is short and what is long for its kind. */
  readonly strength: number
}

const weights: Readonly<Record<NemesisName, number>> = {
  kill: 5,
  stop: 3,
  deploy: 3,
  'cut-bus': 3,
  'cut-commands': 3,
  stall: 2,
  crash: 2,
  'restart-empty': 1,
  flush: 1,
  fill: 1,
  'fail-over': 2,
  rubbish: 2,
  'slow-disk': 2,
}

/** Each kind once, as far as there is time, then by their weights. */
export function planFaults(
  random: Random,
  { ms, nodes, kinds }: { ms: number; nodes: number; kinds: readonly NemesisName[] },
): PlannedFault[] {
  const first = random.shuffle(kinds)
  const chosen = Object.fromEntries(kinds.map((kind) => [kind, weights[kind]])) as Record<NemesisName, number>
  return Array.from({ length: Math.ceil(ms / 1_000) }, (_, i) => ({
    nemesis: first[i] ?? random.weighted(chosen),
    afterMs: random.int(500, 3_000),
    node: random.int(0, nodes - 1),
    strength: random.next(),
  }))
}
