// This repository.
import { everything, sdk1, type Target, withNotify } from './target.ts'

const core = '@throughline/mcp-http-core'

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
    name: 'ours-express',
    packages: [core, '@throughline/mcp-http-express', 'express', sdk1],
    workloads: withNotify,
    start: async () => (await import('./ours.ts')).startOnExpress(),
  },
  {
    name: 'ours-fastify',
    packages: [core, '@throughline/mcp-http-fastify', 'fastify', sdk1],
    workloads: withNotify,
    start: async () => (await import('./ours.ts')).startOnFastify(),
  },
  {
    name: 'ours-koa',
    packages: [core, '@throughline/mcp-http-koa', 'koa', sdk1],
    workloads: withNotify,
    start: async () => (await import('./ours.ts')).startOnKoa(),
  },
  {
    name: 'ours-hono',
    packages: [core, '@throughline/mcp-http-hono', 'hono', '@hono/node-server', sdk1],
    workloads: withNotify,
    start: async () => (await import('./ours.ts')).startOnHono(),
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
    start: async () => (await import('./ours.ts')).startOnExpress({ parser: true }),
  },
]

export const ownTargets: readonly Target[] = [...ours, ...guards]
