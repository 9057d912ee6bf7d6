import type { MaybePromise } from './maybe-promise.ts'

/** Settles like `promise`, or rejects after `ms` milliseconds: nothing waits for ever for code that is not ours. */
export async function within<T>(ms: number, promise: MaybePromise<T>, expectation: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Expected ${expectation} within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
