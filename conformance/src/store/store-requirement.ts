import type { StoreContext } from './store-context.ts'

/** Parts of a backplane. */
export type StorePart = 'sessions' | 'events' | 'bus'

/**
 * What `open` must give, beside the part, for the check to be possible.
 * `second`, `neighbour`, `oracle`, `faults`: see StoreUnderTest. `lost-replies`: `faults.loseNextReply`.
 * `budget`: `openBounded` of the options.
 */
export type StoreNeed = 'second' | 'neighbour' | 'oracle' | 'faults' | 'lost-replies' | 'budget'

/** One sentence of the contract in `packages/core/src/backplane/backplane.ts`. */
export interface StoreRequirement {
  /** Readable and for ever: `store/part/what-it-says`. */
  readonly id: string
  /** What a store does that keeps to the contract, as a sentence. */
  readonly title: string
  readonly part: StorePart
  readonly needs: readonly StoreNeed[]
  /** Returns when the store keeps to it, throws otherwise. */
  check(context: StoreContext): Promise<void>
}

export type StoreRequirementDefinition = Pick<StoreRequirement, 'id' | 'title' | 'check'> &
  Partial<Pick<StoreRequirement, 'needs'>>

/** Of one part. */
export function requirementsOf(
  part: StorePart,
  definitions: readonly StoreRequirementDefinition[],
): readonly StoreRequirement[] {
  return definitions.map((definition) => ({ needs: [], ...definition, id: `store/${part}/${definition.id}`, part }))
}
