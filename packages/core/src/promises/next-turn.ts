const later: (work: () => void) => void = globalThis.setImmediate ?? ((work) => setTimeout(work))

/** Calls back when the sockets that have something have been read. On Node that takes no time where none has. */
export function atTurnsEnd(work: () => void): void {
  later(work)
}

let underWay: Promise<void> | undefined

/**
 * Resolves in the next turn of the event loop, when timers and sockets have had theirs. Code that awaits something again and
 * again without ever leaving the turn would starve them all.
 */
export function nextTurn(): Promise<void> {
  underWay ??= new Promise((resolve) => {
    later(() => {
      underWay = undefined
      resolve()
    })
  })
  return underWay
}
