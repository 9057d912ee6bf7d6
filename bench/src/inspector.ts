import { Session } from 'node:inspector/promises'

let session: Session | undefined

/** Starts the CPU profiler and the sampling heap profiler of this process. */
export async function startProfile(): Promise<Record<string, never>> {
  session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('HeapProfiler.enable')
  // What was collected meanwhile counts too: the question is who allocates, not who keeps.
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 32_768,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  } as { samplingInterval: number })
  await session.post('Profiler.start')
  return {}
}

export async function stopProfile(): Promise<{ cpu: string; heap: string }> {
  if (!session) throw new Error('No profile was started')
  const cpu = await session.post('Profiler.stop')
  const heap = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  session = undefined
  return { cpu: JSON.stringify(cpu.profile), heap: JSON.stringify(heap.profile) }
}
