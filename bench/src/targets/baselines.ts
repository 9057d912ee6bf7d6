// What there is to compare with: HTTP alone, the frameworks alone, and an SDK's own dispatch.
import type { Adapter } from '../../../conformance/mounts/adapter.ts'
import { frameworks } from '../../../conformance/mounts/adapters.ts'
import type { RunningTarget } from './running-target.ts'
import { everything, manyTools, sdk1, sdk2, type Target, withNotify } from './target.ts'

const floors: readonly Target[] = [
  {
    name: 'floor',
    packages: [],
    workloads: [...withNotify, 'W12'],
    start: async () => (await import('./floor.ts')).startFloor(),
  },
  ...frameworks.flatMap(toFloors),
]

/** Of a framework, where it is known how to mount an answer in it. */
function toFloors({ name, framework, serveBare }: Adapter): Target[] {
  if (serveBare === undefined) return []
  const start = async () => (await import('./framework-floors.ts')).startBare(serveBare)
  return [{ name: `floor-${name}`, packages: framework, workloads: ['W1', 'W2'], start }]
}

async function startDispatch1(options?: { sse: boolean }): Promise<RunningTarget> {
  const [{ startDispatch }, { createServer1 }] = await Promise.all([import('./dispatch.ts'), import('./server1.ts')])
  return startDispatch(createServer1, options)
}

async function startDispatch30(): Promise<RunningTarget> {
  const [{ startDispatch }, { createServer30 }] = await Promise.all([import('./dispatch.ts'), import('./server30.ts')])
  return startDispatch(createServer30)
}

async function startDispatch2(options?: { sse: boolean }): Promise<RunningTarget> {
  const [{ startDispatch }, { createServer2 }] = await Promise.all([import('./dispatch.ts'), import('./server2.ts')])
  return startDispatch(createServer2, options)
}

const dispatches: readonly Target[] = [
  {
    name: 'dispatch',
    packages: [sdk1],
    workloads: withNotify,
    start: () => startDispatch1(),
  },
  {
    name: 'dispatch-sse',
    packages: [sdk1],
    workloads: everything,
    start: () => startDispatch1({ sse: true }),
  },
  {
    name: 'dispatch-30',
    packages: [sdk1],
    workloads: manyTools,
    start: startDispatch30,
  },
  {
    name: 'dispatch2',
    packages: [sdk2],
    workloads: withNotify,
    start: () => startDispatch2(),
  },
  {
    name: 'dispatch2-sse',
    packages: [sdk2],
    workloads: everything,
    start: () => startDispatch2({ sse: true }),
  },
  {
    name: 'dispatch2-2026',
    packages: [sdk2],
    workloads: ['W1'],
    revision: '2026-07-28',
    start: async () => (await import('./dispatch-modern.ts')).startDispatchModern(),
  },
  {
    name: 'dispatch2-modern',
    packages: [sdk2],
    workloads: ['W1'],
    revision: '2026-07-28',
    isInProcess: true,
    start: async () => (await import('./dispatch-modern.ts')).startDispatchModern(),
  },
]

export const baselines: readonly Target[] = [...floors, ...dispatches]
