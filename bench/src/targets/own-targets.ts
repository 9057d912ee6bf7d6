// This repository.
import { frameworks } from '../../../conformance/mounts/adapters.ts'
import { everything, manyTools, sdk1, sdk2, type Target, withNotify } from './target.ts'

const core = '@throughline/mcp-http-core'

const inFrameworks = frameworks.map(({ name, package: adapter, framework }): Target => {
  return {
    name: `ours-${name}`,
    packages: [core, adapter, ...framework, sdk1],
    workloads: withNotify,
    start: async () => (await import('./ours.ts')).startOn(name),
  }
})

const ours: readonly Target[] = [
  {
    name: 'ours-node',
    packages: [core, sdk1],
    workloads: [...withNotify, 'W9'],
    start: async () => (await import('./ours.ts')).startOnNode(),
  },
  {
    name: 'ours-node-sse',
    packages: [core, sdk1],
    workloads: everything,
    start: async () => (await import('./ours.ts')).startOnNode({ response: 'sse' }),
  },
  {
    name: 'ours-node-2026',
    packages: [core, sdk2],
    workloads: ['W1', 'W12', 'W12B'],
    revision: '2026-07-28',
    start: async () => (await import('./ours.ts')).startModern(),
  },
  ...inFrameworks,
  {
    name: 'ours-node-30',
    packages: [core, sdk1],
    workloads: manyTools,
    start: async () => (await import('./ours.ts')).startWithManyTools(),
  },
  {
    name: 'ours-node-30-shared',
    packages: [core, sdk1],
    workloads: manyTools,
    start: async () => (await import('./ours.ts')).startWithManyTools({ shared: true }),
  },
  {
    name: 'ours-node-hibernating',
    packages: [core, sdk1],
    workloads: ['W10'],
    start: async () => (await import('./ours.ts')).startHibernating(),
  },
  {
    name: 'ours-node-otel',
    packages: [core, '@throughline/mcp-http-otel', '@opentelemetry/sdk-trace-node', sdk1],
    workloads: ['W1'],
    start: async () => (await import('./ours-otel.ts')).startWithOpenTelemetry(),
  },
  {
    name: 'ours-node-no-log',
    packages: [core, sdk1],
    workloads: ['W4'],
    start: async () => (await import('./ours.ts')).startWithoutLog(),
  },
  {
    name: 'ours-node-resume',
    packages: [core, sdk1],
    workloads: ['W6'],
    start: async () => (await import('./ours.ts')).startForResume(),
  },
]

/** W9: `ours-node` with one thing more. */
const guards: readonly Target[] = [
  {
    name: 'ours-node-json',
    packages: [core, sdk1],
    workloads: ['W9'],
    start: async () => (await import('./ours.ts')).startOnNode({ response: 'json' }),
  },
  {
    name: 'ours-node-stateless',
    packages: [core, sdk1],
    workloads: ['W9'],
    start: async () => (await import('./ours.ts')).startOnNode({ sessions: false }),
  },
  {
    name: 'ours-node-origin',
    packages: [core, sdk1],
    workloads: ['W9'],
    headers: { origin: 'https://app.example.com' },
    start: async () => (await import('./ours.ts')).startOnNode({ allowedOrigins: ['https://app.example.com'] }),
  },
  {
    name: 'ours-node-auth',
    packages: [core, sdk1],
    workloads: ['W9'],
    headers: { authorization: 'Bearer bench' },
    start: async () => (await import('./ours.ts')).startWithAuth(),
  },
  {
    name: 'ours-node-parser',
    packages: [core, 'express', sdk1],
    workloads: ['W9'],
    start: async () => (await import('./ours.ts')).startBehindParser(),
  },
  {
    name: 'ours-express-parser',
    packages: [core, '@throughline/mcp-http-express', 'express', sdk1],
    workloads: ['W9'],
    start: async () => (await import('./ours.ts')).startOn('express', { parser: true }),
  },
]

export const ownTargets: readonly Target[] = [...ours, ...guards]
