import { createMemoryBackplane } from '@throughline/mcp-http-core'
import { describe, expect, test } from 'vitest'
import { openReferenceStore, type ReferenceStoreOptions } from '../doubles/store/reference-store.ts'
import { checkStoreRequirement } from '../src/store/check-store.ts'
import { describeStore } from '../src/store/describe-store.ts'
import { storeRequirements } from '../src/store/store-requirements.ts'
import type { StoreUnderTest } from '../src/store/store-under-test.ts'

function openMemory(maxEventsPerSession = 100_000): StoreUnderTest {
  const backplane = createMemoryBackplane({ maxEventsPerSession })
  // Nodes that share a process's memory share one backplane.
  return { backplane, second: () => backplane, neighbour: () => createMemoryBackplane() }
}

describeStore('the memory backplane', () => openMemory(), { openBounded: openMemory, ttlToleranceMs: 20 })

describeStore('the reference store', () => openReferenceStore(), {
  openBounded: (maxEventsPerSession) => openReferenceStore({ maxEventsPerSession }),
  ttlToleranceMs: 20,
  strict: true,
})

describe('the contract leaves a store free', () => {
  async function findUnmet(store: ReferenceStoreOptions): Promise<string[]> {
    const options = {
      openBounded: (maxEventsPerSession: number) => openReferenceStore({ ...store, maxEventsPerSession }),
      ttlToleranceMs: 50,
    }
    const results = await Promise.all(
      storeRequirements.map((requirement) =>
        checkStoreRequirement(requirement, () => openReferenceStore(store), options),
      ),
    )
    return results.filter(({ verdict }) => verdict !== 'pass').map(({ id, message }) => `${id}: ${message}`)
  }

  test('to fence by the record of the session, and to keep a deleted log deleted', async () => {
    expect(await findUnmet({ isJoined: true })).toEqual([])
  })

  test('to wait for its database before it rejects', async () => {
    expect(await findUnmet({ patienceMs: 500 })).toEqual([])
  })
})

describe('a check of a store', () => {
  const [requirement] = storeRequirements
  const check = async (open: () => StoreUnderTest) =>
    requirement ? await checkStoreRequirement(requirement, open) : undefined

  test('is not testable without the part', async () => {
    const { bus } = createMemoryBackplane()
    expect(await check(() => ({ backplane: { bus } }))).toMatchObject({
      verdict: 'not-testable',
      message: 'open() gives no `sessions`',
    })
  })

  test('fails when there is no part at all', async () => {
    const message = expect.stringContaining('Expected open() to give { backplane } with sessions, events or bus')
    expect(await check(() => ({ backplane: {} }))).toMatchObject({ verdict: 'fail', message })
  })

  test('fails when the store cannot be opened or closed, and says which', async () => {
    const refuse = () => {
      throw new Error('no database')
    }
    const unopened = expect.stringMatching(/^open\(\) failed: Error: no database/)
    expect(await check(refuse)).toMatchObject({ verdict: 'fail', message: unopened })
    const unclosed = expect.stringMatching(/^close\(\) failed: Error: no database/)
    expect(await check(() => ({ ...openMemory(), close: refuse }))).toMatchObject({
      verdict: 'fail',
      message: unclosed,
    })
  })

  test('closes the store whatever comes of it', async () => {
    let closed = 0
    const { bus } = createMemoryBackplane()
    const close = () => closed++
    await check(() => ({ ...openMemory(), close }))
    await check(() => ({ backplane: { bus }, close }))
    expect(closed).toBe(2)
  })
})

test('an exclusion of what is no requirement of stores is refused', () => {
  const exclude = [{ id: 'store/sessions/create-is-automatic', reason: 'a slip of the pen' }]
  expect(() => describeStore('never', () => openMemory(), { exclude })).toThrow(
    'got "store/sessions/create-is-automatic"',
  )
})
