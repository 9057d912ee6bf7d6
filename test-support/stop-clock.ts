import { onTestFinished, vi } from 'vitest'
import { sleep } from './waiting.ts'

export interface StoppedClock {
  /** Lets so much time pass, and an endpoint whose limits are short look twice what is over. */
  pass(ms: number): Promise<void>
}

/** Stops the clocks that code reads until the test is over, however busy the machine is. Timers go on. */
export function stopClock(): StoppedClock {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  return {
    pass: async (ms) => {
      vi.advanceTimersByTime(ms)
      // It looks every quarter of its shortest limit, and at most every 10 ms.
      await sleep(25)
    },
  }
}
