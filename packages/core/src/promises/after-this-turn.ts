const tick: ((work: () => void) => void) | undefined = globalThis.process?.nextTick

/**
 * Calls back when the running code is through, with every promise that it settles. A runtime that does not know that
 * moment calls back earlier.
 */
export function afterThisTurn(work: () => void): void {
  // A tick that an event's listener asks for comes before the promises that it settles, one that a promise asks for
  // after all of them.
  queueMicrotask(tick ? () => tick(work) : work)
}
