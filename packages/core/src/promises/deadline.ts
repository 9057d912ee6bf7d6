import { isThenable, type MaybePromise } from './maybe-promise.ts'

/** What was waited for has not come in time. It may still be under way. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Settles like `promise`, or rejects after `ms` milliseconds: nothing waits for ever for code that is not ours. */
export function within<T>(ms: number, promise: MaybePromise<T>, expectation: string): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!isThenable(promise)) return resolve(promise)
    const settling = Promise.resolve(promise)
    const timer = setTimeout(() => reject(new DeadlineError(`Expected ${expectation} within ${ms} ms`)), ms)
    const stop = (): void => clearTimeout(timer)
    settling.then(stop, stop)
    settling.then(resolve, reject)
  })
}
