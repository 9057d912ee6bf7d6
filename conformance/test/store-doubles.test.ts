import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openReferenceStore } from '../doubles/store/reference-store.ts'
import { type StoreDouble, storeDoubles } from '../doubles/store/store-doubles.ts'
import { checkStoreRequirement, type StoreResult } from '../src/store/check-store.ts'
import type { StoreRequirement } from '../src/store/store-requirement.ts'
import { storeRequirements } from '../src/store/store-requirements.ts'

/** Checks that take long: a double that is not made for them is not held against them. */
const laborious: ReadonlySet<string> = new Set([
  'store/sessions/list-gives-every-record',
  'store/sessions/record-lives-for-its-ttl',
  'store/sessions/lease-runs-for-its-time',
  'store/events/events-may-be-large',
  'store/events/ten-thousand-events-are-replayed',
])

/** All of the part that the defect is in; those of the budget for defects of the budget. */
function checksFor({ requirement, spoilsAll }: StoreDouble): StoreRequirement[] {
  const own = storeRequirements.find(({ id }) => id === requirement)
  const isOfBudget = own?.needs.includes('budget') === true
  return storeRequirements.filter((each) => {
    if (each === own) return true
    if (each.part !== own?.part || spoilsAll !== undefined || laborious.has(each.id)) return false
    return isOfBudget || !each.needs.includes('budget')
  })
}

async function check(requirement: StoreRequirement, { defect, isJoined }: StoreDouble): Promise<StoreResult> {
  const store = { defect, isJoined: isJoined === true }
  const openBounded = (maxEventsPerSession: number) => openReferenceStore({ ...store, maxEventsPerSession })
  const options = { openBounded, ttlToleranceMs: 20, settleWithinMs: 500 }
  return await checkStoreRequirement(requirement, () => openReferenceStore(store), options)
}

/** What speaks against a double: its own check passes, or another one fails. */
function complain({ requirement, defect, alsoFails }: StoreDouble, { id, verdict, message }: StoreResult): string[] {
  if (id === requirement) return verdict === 'fail' ? [] : [`${defect} is not caught by ${id}: ${verdict} ${message}`]
  return verdict === 'fail' && !(id in alsoFails) ? [`${defect} also fails ${id}: ${message.slice(0, 300)}`] : []
}

describe('the contract of stores', () => {
  test('has the ids it always had, and new ones only on purpose', () => {
    const frozen = readFileSync(new URL('store-ids.txt', import.meta.url), 'utf8')
      .trim()
      .split('\n')
    expect(storeRequirements.map(({ id }) => id)).toEqual(frozen)
  })

  test('has no id twice, and names each store/part/what-it-says', () => {
    expect(new Set(storeRequirements.map(({ id }) => id)).size).toBe(storeRequirements.length)
    for (const { id, part } of storeRequirements) expect(id).toMatch(new RegExp(`^store/${part}/[a-z0-9-]+$`))
  })
})

describe('the table of doubles of stores', () => {
  test('has one double for each requirement, in their order', () => {
    expect(storeDoubles.map(({ requirement }) => requirement)).toEqual(storeRequirements.map(({ id }) => id))
  })

  test('names no defect twice, and only requirements that there are', () => {
    expect(new Set(storeDoubles.map(({ defect }) => defect)).size).toBe(storeDoubles.length)
    const ids = new Set(storeRequirements.map(({ id }) => id))
    const named = [...laborious, ...storeDoubles.flatMap(({ alsoFails }) => Object.keys(alsoFails))]
    expect(named.filter((id) => !ids.has(id))).toEqual([])
  })
})

describe('each double of a store fails its own check and no other', () => {
  for (const double of storeDoubles) {
    test.concurrent(`${double.requirement}: ${double.defect}`, async () => {
      const results = await Promise.all(checksFor(double).map((requirement) => check(requirement, double)))
      expect(results.flatMap((result) => complain(double, result))).toEqual([])
    })
  }
})
