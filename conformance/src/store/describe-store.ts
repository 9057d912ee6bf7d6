import { afterAll, describe, test } from 'vitest'
import { within } from '../client/waiting.ts'
import { type Exclusion, exclusionsOf, whySkipped } from '../exclusion.ts'
import { aBoolean, aFunction, checkOptions, option, optional, someOf } from '../option-checks.ts'
import { checkStoreRequirement, checkTimeoutOf, storeTable } from './check-store.ts'
import { settle } from './store-context.ts'
import type { StorePart, StoreRequirement } from './store-requirement.ts'
import { storeRequirements } from './store-requirements.ts'
import type { OpenStore, StoreOptions } from './store-under-test.ts'

export interface DescribeStoreOptions extends StoreOptions {
  /**
   * Requirements that the store is known not to meet. They are checked all the same: one that passes fails its test, the
   * others are skipped with the reason.
   */
  readonly exclude?: readonly Exclusion[]
  /**
   * Parts that there are tests for. Named here, one that `open` does not give is told as skipped.
   * @default those that `open` gives: it is called once more for that, while tests are collected
   */
  readonly parts?: readonly StorePart[]
  /** `true`: a check for which `open` does not give what it needs, and which is not excluded, fails instead of being skipped. @default false */
  readonly strict?: boolean
}

/**
 * Makes one vitest test of each sentence of the contract. `open` is called for each, and gives a store that is empty.
 * Throws `TypeError` for an option that is wrong.
 * ```ts
 * describeStore('my session store', async () => {
 *   const pool = await createTestDatabase()
 *   return { backplane: { sessions: createSessionStore(pool) }, close: () => pool.end() }
 * })
 * ```
 */
export function describeStore(name: string, open: OpenStore, options: DescribeStoreOptions = {}): void {
  aFunction()(open, 'open')
  const { parts, exclude, strict, openBounded, ...times } = checkOptions(optionsTable, options)
  const storeOptions: StoreOptions = openBounded ? { ...times, openBounded } : times
  const skipped = new Map<string, number>()
  describe(name, async () => {
    for (const part of parts ?? (await findParts(open))) {
      describe(part, () => {
        for (const requirement of storeRequirements.filter((each) => each.part === part)) {
          declare(requirement, { open, exclude, strict, options: storeOptions, skipped })
        }
      })
    }
    afterAll(() => tellSkipped(name, skipped))
  })
}

const allParts = ['sessions', 'events', 'bus'] as const satisfies readonly StorePart[]

const optionsTable = {
  ...storeTable,
  exclude: option([], exclusionsOf(expectKnown)),
  parts: option(undefined, optional(someOf<StorePart>(...allParts))),
  strict: option(false, aBoolean),
} satisfies Record<keyof DescribeStoreOptions, unknown>

/** What opens only once tests run, or never, has tests for all parts: they tell why. */
async function findParts(open: OpenStore): Promise<readonly StorePart[]> {
  const opening = await settle(async () => await within(Promise.resolve(open()), openingMs, 'The store'))
  if ('error' in opening) return allParts
  const store = opening.value
  // What a test closes as well says there what is wrong about it.
  await settle(() => store.close?.())
  const given = allParts.filter((part) => store.backplane?.[part] !== undefined)
  return given.length === 0 ? allParts : given
}

/** vitest gives up collecting a file after a minute. */
const openingMs = 10_000

interface Setting {
  readonly open: OpenStore
  readonly options: StoreOptions
  readonly exclude: readonly Exclusion[]
  readonly strict: boolean
  /** Reasons, and how many checks were skipped for each. */
  readonly skipped: Map<string, number>
}

function declare(requirement: StoreRequirement, { open, options, exclude, strict, skipped }: Setting): void {
  // Opening and closing may take as long again.
  test(requirement.id, { timeout: 2 * checkTimeoutOf(options) }, async ({ skip }) => {
    const result = await checkStoreRequirement(requirement, open, options)
    const excludedFor = exclude.find(({ id }) => covers(id, requirement))?.reason
    const reason = whySkipped(result, { excludedFor, strict })
    if (reason !== undefined) {
      if (excludedFor === undefined) skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
      skip(reason)
    }
    if (result.verdict !== 'pass') throw new Error(`${requirement.title}\n${result.message}`)
  })
}

function covers(excluded: string, { id }: StoreRequirement): boolean {
  return excluded === id || (excluded.endsWith('/') && id.startsWith(excluded))
}

function expectKnown(id: string): void {
  if (storeRequirements.some((requirement) => covers(id, requirement))) return
  throw new TypeError(`Expected the id of a requirement of stores, or the beginning of ids up to a slash, got "${id}"`)
}

/** What was not looked at is said, so that nobody takes it for checked. */
function tellSkipped(name: string, skipped: ReadonlyMap<string, number>): void {
  for (const [reason, count] of skipped) console.warn(`${name}: ${count} checks skipped, ${reason}`)
}
