import { stayAwake } from '../load/stay-awake.ts'
import type { ServerProcess } from '../server-process.ts'

/** Runs `work`, and tells the CPU time that the server spent meanwhile, in microseconds. */
export async function measureCpu<T>(
  server: ServerProcess,
  work: () => Promise<T>,
): Promise<{ value: T; cpuUs: number }> {
  const before = await server.request('usage')
  const value = await stayAwake(work)
  const after = await server.request('usage')
  return { value, cpuUs: after.cpuUs - before.cpuUs }
}

/** Runs `work` again and again in each of `lanes`, until time is up; tells how long that took. */
export async function repeat(
  lanes: number,
  durationMs: number,
  work: (lane: number) => Promise<void>,
): Promise<number> {
  const startedAt = performance.now()
  const lane = async (index: number): Promise<void> => {
    do await work(index)
    while (performance.now() - startedAt < durationMs)
  }
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)))
  return (performance.now() - startedAt) / 1_000
}
