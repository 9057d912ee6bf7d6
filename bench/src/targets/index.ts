import { baselines } from './baselines.ts'
import { ownTargets } from './own-targets.ts'
import { peers } from './peers.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [...baselines, ...ownTargets, ...peers]

/** @throws RangeError for a name that is none. */
export function findTarget(name: string): Target {
  const target = targets.find((target) => target.name === name)
  if (target) return target
  throw new RangeError(`Expected a target (${targets.map(({ name }) => name).join(', ')}), got "${name}"`)
}
