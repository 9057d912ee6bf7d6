import { Mismatch, NotTestable } from '../client/expect.ts'
import { TimeLimit, within } from '../client/waiting.ts'
import { anOptionalFunction, checkOptions, option, wholeNumber } from '../option-checks.ts'
import { budget } from './contract/events-budget.ts'
import { StoreContext, settle } from './store-context.ts'
import type { StoreNeed, StorePart, StoreRequirement } from './store-requirement.ts'
import type { OpenStore, StoreOptions, StoreUnderTest } from './store-under-test.ts'

/** What a check may take beside what it waits for: it waits at most a few times for `settleWithinMs`. */
const workMs = 120_000

export interface StoreResult {
  readonly id: string
  readonly verdict: 'pass' | 'fail' | 'not-testable'
  /** What was expected and found, or what is missing for the check; empty when it passed. */
  readonly message: string
}

/**
 * Opens a store, holds it to one requirement and closes it. What the store does wrong is in the result.
 * @throws TypeError for an option that is wrong
 */
export async function checkStoreRequirement(
  requirement: StoreRequirement,
  open: OpenStore,
  options: StoreOptions = {},
): Promise<StoreResult> {
  checkOptions(storeTable, options)
  const { id, needs } = requirement
  const opening = await settle(() => (needs.includes('budget') ? openBounded(options) : open()))
  if ('error' in opening) return { id, ...toVerdict(opening.error, 'open() failed: ') }
  const store = opening.value
  const outcome = await settle(() => checkOpened(requirement, store, options))
  const closing = await settle(() => store.close?.())
  if ('error' in outcome) return { id, ...toVerdict(outcome.error) }
  if ('error' in closing) return { id, ...toVerdict(closing.error, 'close() failed: ') }
  return { id, verdict: 'pass', message: '' }
}

/** With more a check would take longer than a timer can. */
const anHourMs = 3_600_000

/** The checks of {@link StoreOptions}. */
export const storeTable = {
  openBounded: option(undefined, anOptionalFunction<StoreOptions['openBounded']>()),
  ttlToleranceMs: option(100, wholeNumber(0, anHourMs)),
  settleWithinMs: option(10_000, wholeNumber(1, anHourMs)),
} satisfies Record<keyof StoreOptions, unknown>

/** Longest that {@link checkStoreRequirement} takes, beside `open` and `close`. */
export function checkTimeoutOf({ settleWithinMs = 10_000, ttlToleranceMs = 100 }: StoreOptions): number {
  return workMs + 3 * settleWithinMs + 20 * ttlToleranceMs
}

async function openBounded(options: StoreOptions): Promise<StoreUnderTest> {
  if (!options.openBounded) throw new NotTestable(lacks.budget)
  return await options.openBounded(budget)
}

async function checkOpened(requirement: StoreRequirement, store: StoreUnderTest, options: StoreOptions): Promise<void> {
  const lacking = findLacking(requirement, store)
  if (lacking !== undefined) throw new NotTestable(lacking)
  const context = new StoreContext(store, options)
  try {
    await within(requirement.check(context), checkTimeoutOf(options), 'The end of the check')
  } finally {
    // A connection that stays cut could keep `close` waiting.
    if (requirement.needs.includes('faults')) await settle(() => store.faults?.reconnect())
    await context.end()
  }
}

const lacks: Readonly<Record<StoreNeed, string>> = {
  second: 'open() gives no `second`',
  neighbour: 'open() gives no `neighbour`',
  oracle: 'open() gives no `oracle` that looks for this',
  faults: 'open() gives no `faults`',
  'lost-replies': 'open() gives no `faults.loseNextReply`',
  budget: 'the options have no `openBounded`',
}

/** What `open` did not give and the check needs; `undefined` when it has all. */
function findLacking({ part, needs }: StoreRequirement, store: StoreUnderTest): string | undefined {
  const parts: Partial<StoreUnderTest['backplane']> = store.backplane ?? {}
  if (!parts.sessions && !parts.events && !parts.bus) {
    throw new TypeError('Expected open() to give { backplane } with sessions, events or bus, it has none of them')
  }
  if (!store.backplane[part]) return `open() gives no \`${part}\``
  const lacking = needs.find((need) => !offers(store, need, part))
  return lacking && lacks[lacking]
}

function offers(store: StoreUnderTest, need: StoreNeed, part: StorePart): boolean {
  if (need === 'budget') return true
  if (need === 'lost-replies') return store.faults?.loseNextReply !== undefined
  if (need !== 'oracle') return store[need] !== undefined
  return (part === 'sessions' ? store.oracle?.hasSession : store.oracle?.countEvents) !== undefined
}

function toVerdict(error: unknown, prefix = ''): Pick<StoreResult, 'verdict' | 'message'> {
  if (error instanceof NotTestable) return { verdict: 'not-testable', message: error.message }
  if (error instanceof Mismatch || error instanceof TimeLimit) {
    return { verdict: 'fail', message: prefix + error.message }
  }
  // The store threw: where is what its author wants to know.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { verdict: 'fail', message: `${prefix || 'Expected no error, got '}${text}` }
}
