import { expect, test, vi } from 'vitest'
import { DeadlineError, within } from '../src/promises/deadline.ts'

async function later<T>(value: T, promises: number): Promise<T> {
  for (let i = 0; i < promises; i++) await undefined
  return value
}

function countTimers() {
  const setTimer = vi.spyOn(globalThis, 'setTimeout')
  const count = () => setTimer.mock.calls.length
  return { count, restore: () => setTimer.mockRestore() }
}

test('what settles within the turn takes no timer, whether a listener or a promise waits for it', async () => {
  const timers = countTimers()
  try {
    await within(1_000, later(1, 20), 'it to settle')
    expect(timers.count()).toBe(0)
    const fromListener = new Promise((resolve) => {
      setImmediate(() => within(1_000, later(2, 20), 'it to settle').then(resolve))
    })
    expect(await fromListener).toBe(2)
    expect(timers.count()).toBe(0)
    const late = new Promise((resolve) => setImmediate(resolve, 3))
    expect(await within(1_000, late, 'it to settle')).toBe(3)
    expect(timers.count()).toBe(1)
  } finally {
    timers.restore()
  }
})

test('what does not come in time is given up', async () => {
  const never = new Promise(() => undefined)
  await expect(within(10, never, 'it to settle')).rejects.toThrow(DeadlineError)
})
