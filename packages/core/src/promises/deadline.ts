import type { MaybePromise } from './maybe-promise.ts'

/** What was waited for has not come in time. It may still be under way. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Settles like `promise`, or rejects after `ms` milliseconds: nothing waits for ever for code that is not ours. */
export async function within<T>(ms: number, promise: MaybePromise<T>, expectation: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`Expected ${expectation} within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
