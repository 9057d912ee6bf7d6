import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { stayAwake } from '../src/load/stay-awake.ts'
import { canPin } from '../src/pin.ts'

/** Time, in milliseconds, that this process slept for while `work` ran. */
async function sleptDuring(work: () => Promise<unknown>): Promise<number> {
  const before = performance.eventLoopUtilization()
  await work()
  return performance.eventLoopUtilization(before).idle
}

// With one core it would take the servers' time, and so it sleeps there.
test.runIf(canPin)(
  'the load generator does not sleep while servers are measured, and does before and after',
  async () => {
    const wait = (): Promise<void> => sleep(100)
    expect(await sleptDuring(() => stayAwake(wait))).toBe(0)
    expect(await sleptDuring(wait)).toBeGreaterThan(50)
  },
)

test('what fails meanwhile fails, and lets it sleep again', async () => {
  await expect(stayAwake(() => Promise.reject(new Error('a wrong answer')))).rejects.toThrow('a wrong answer')
  expect(await sleptDuring(() => sleep(100))).toBeGreaterThan(50)
})
