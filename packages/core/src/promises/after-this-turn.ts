/**
 * Calls back when the running code is through, with every promise that it settles. A runtime that does not know that
 * moment calls back earlier.
 */
export const afterThisTurn: (work: () => void) => void = globalThis.process?.nextTick ?? queueMicrotask
