import { outsidePromises } from './virtual-time.ts'

// The core keeps clocks that it finds when it is loaded: it comes after.

import { expect, test } from 'vitest'
import { type Found, runBatch } from './batch.ts'
import { breaches, type Sentence } from './database.ts'
import { unnoticed } from './mutants.ts'
import { runWorld } from './world.ts'

function outside<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    outsidePromises(() => {
      try {
        resolve(work())
      } catch (error) {
        reject(error)
      }
    })
  })
}

test('nodes that crash, stand still and lose messages keep every promise', { timeout: 120_000 }, async () => {
  const { counts, violations } = await outside(() => runBatch({ from: 1, worlds: 100 }))
  expect(violations).toEqual([])
  expect(counts.takeovers).toBeGreaterThan(100)
  expect(counts.delivered).toBeGreaterThan(1_000)
})

test('a seed gives the same again', async () => {
  const lines = (): string[] => {
    const traced: string[] = []
    runWorld({ seed: 7, trace: (line) => traced.push(line) })
    return traced.map((line) => line.replaceAll(/[\w-]{32,43}/g, 'id'))
  }
  expect(await outside(lines)).toEqual(await outside(lines))
})

/** All others are for `pnpm test:simulation --mutants`: they take longer. */
const quick = (Object.keys(breaches) as Sentence[]).filter(
  (sentence) => unnoticed[sentence] === undefined && !rare(sentence),
)

function rare(sentence: Sentence): boolean {
  return [
    'append: those of one session take effect in order',
    'append: repeated after a lost reply it gives ok',
    'log delete: only while no newer term has written',
    'takeOver: refused while the lease of the owner runs',
    'update: false when the record is gone',
    'outage: append rejects',
    'bus: a lost message is all that is lost',
  ].includes(sentence)
}

test.each(quick)('a store that breaks its contract is noticed: %s', { timeout: 120_000 }, async (broken) => {
  const found = await outside(() => {
    const all: Found[] = []
    for (let from = 1; from < 400 && all.length === 0; from += 20) {
      all.push(...runBatch({ from, worlds: 20, broken }).violations)
    }
    return all
  })
  expect(found.length).toBeGreaterThan(0)
})
