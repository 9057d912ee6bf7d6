/** How long a check waits for something that must come. Long, because a busy machine is no defect of the server. */
export const patienceMs = 10_000

/**
 * So long after a resume what comes on the old connection was on its way, also on a busy machine; what comes later was
 * sent in spite of it.
 */
export const takenOverMs = 250

export class TimeLimit extends Error {
  override name = 'TimeLimit'
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Rejects with {@link TimeLimit} when `promise` takes longer. */
export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimit(`${what} did not come within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Lets several wait for a condition that some event will make true. */
export class Signal {
  readonly #waiting = new Set<() => void>()

  notify(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves `true` when `condition` holds, `false` when `ms` passed before. */
  until(condition: () => boolean, ms: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(held)
      }
      const wake = () => {
        if (condition()) settle(true)
      }
      const timer = setTimeout(() => settle(condition()), ms)
      this.#waiting.add(wake)
    })
  }
}
