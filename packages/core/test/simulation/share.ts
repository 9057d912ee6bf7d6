import { outsidePromises } from './virtual-time.ts'

// The core keeps clocks that it finds when it is loaded: it comes after.

import { runBatch } from './batch.ts'

/** What one of several processes is to run: every so many-th batch of worlds. */
export interface Share {
  readonly share: number
  readonly workers: number
  readonly from: number
  readonly worlds: number
  readonly seconds: number
}

/** Worlds of one batch. */
const batchSize = 50

outsidePromises(() => {
  const { share, workers, from, worlds, seconds } = JSON.parse(process.argv[2] ?? '{}') as Share
  const endsAt = performance.now() + seconds * 1_000
  for (let batch = share; batch < worlds / batchSize && performance.now() < endsAt; batch += workers) {
    process.send?.(runBatch({ from: from + batch * batchSize, worlds: batchSize }))
  }
  process.disconnect()
})
