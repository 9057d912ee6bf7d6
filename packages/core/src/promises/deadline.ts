import { afterThisTurn } from './after-this-turn.ts'
import { isThenable, type MaybePromise } from './maybe-promise.ts'

/** What was waited for has not come in time. It may still be under way. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * Settles like `promise`, or rejects after `ms` milliseconds: nothing waits for ever for code that is not ours. The time
 * begins when the running code is through: most of what is waited for has settled by then, and needs no timer.
 */
export function within<T>(ms: number, promise: MaybePromise<T>, expectation: string): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!isThenable(promise)) return resolve(promise)
    let isSettled = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = (): void => {
      isSettled = true
      clearTimeout(timer)
    }
    Promise.resolve(promise).then(
      (value) => {
        stop()
        resolve(value)
      },
      (error) => {
        stop()
        reject(error)
      },
    )
    afterThisTurn(() => {
      if (isSettled) return
      timer = setTimeout(() => reject(new DeadlineError(`Expected ${expectation} within ${ms} ms`)), ms)
    })
  })
}
