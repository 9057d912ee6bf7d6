/** Code that is not ours may return it: a value, or anything that can be awaited. */
export type MaybePromise<T> = T | PromiseLike<T>

/**
 * Whether a value must be awaited. Asked of everything that other people's code returns: a thenable that is no native
 * `Promise` (a query builder, another realm's promise) is not the value.
 */
export function isThenable<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function'
}
