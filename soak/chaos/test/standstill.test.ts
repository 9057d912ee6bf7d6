import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../../test-support/waiting.ts'
import { Standstill } from '../check/standstill.ts'
import { Tally } from '../check/tally.ts'

test('what seems to hang is no fault after this process stood still, and one before', async () => {
  const stood: number[] = []
  const standstill = new Standstill((ms) => stood.push(ms))
  onTestFinished(() => standstill.stop())
  const tally = new Tally(() => standstill.isRecent)
  tally.fault('hung', 'before')
  // As when its processes are stopped.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_600)
  await sleep(300)
  expect(stood).toHaveLength(1)
  expect(standstill.totalMs).toBeGreaterThan(2_000)
  tally.fault('hung', 'after')
  tally.fault('lost', 'after')
  expect(tally.faults).toMatchObject({ hung: 1, lost: 1 })
  expect(tally.figures).toEqual({ 'hung, after this process stood still': 1 })
})
