const tick: ((work: () => void) => void) | undefined = globalThis.process?.nextTick
const settled = Promise.resolve()

/**
 * Calls back when the running code is through, with every promise that it settles. A runtime that does not know that
 * moment calls back earlier.
 */
export function afterThisTurn(work: () => void): void {
  if (!tick) return queueMicrotask(work)
  // A tick that an event's listener asks for comes before the promises that it settles, one that a promise asks for
  // after all of them. A promise costs less than `queueMicrotask`, which Node makes an async resource for.
  void settled.then(() => tick(work))
}
