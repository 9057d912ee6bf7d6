import type { RunningTarget } from './running-target.ts'

export type WorkloadName = 'W1' | 'W2' | 'W3' | 'W4' | 'W5' | 'W6' | 'W7' | 'W8' | 'W9'

/** Something that is measured. The load generator reads this; only the server's process calls `start`. */
export interface Target {
  readonly name: string
  /** Packages whose versions belong to its figures. */
  readonly packages: readonly string[]
  /** What it can serve. */
  readonly workloads: readonly WorkloadName[]
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  start(): Promise<RunningTarget>
}

const everything: readonly WorkloadName[] = ['W1', 'W2', 'W3', 'W4', 'W5', 'W7']
const ownEverything: readonly WorkloadName[] = [...everything, 'W8']
/** What sends no progress on a POST, for its answers are plain JSON. */
const withoutProgress = everything.filter((name) => name !== 'W4')

const sdk1 = '@modelcontextprotocol/sdk'
const core = '@throughline/mcp-http-core'

const floors: readonly Target[] = [
  {
    name: 'floor',
    packages: [],
    workloads: ownEverything,
    start: async () => (await import('./floor.ts')).startFloor(),
  },
  {
    name: 'floor-express',
    packages: ['express'],
    workloads: ['W1', 'W2'],
    start: async () => (await import('./framework-floors.ts')).startExpressFloor(),
  },
  {
    name: 'floor-fastify',
    packages: ['fastify'],
    workloads: ['W1', 'W2'],
    start: async () => (await import('./framework-floors.ts')).startFastifyFloor(),
  },
  {
    name: 'floor-koa',
    packages: ['koa'],
    workloads: ['W1', 'W2'],
    start: async () => (await import('./framework-floors.ts')).startKoaFloor(),
  },
  {
    name: 'floor-hono',
    packages: ['hono', '@hono/node-server'],
    workloads: ['W1', 'W2'],
    start: async () => (await import('./framework-floors.ts')).startHonoFloor(),
  },
]

const dispatches: readonly Target[] = [
  {
    name: 'dispatch',
    packages: [sdk1],
    workloads: ownEverything,
    start: async () => (await import('./dispatch.ts')).startDispatch(),
  },
  {
    name: 'dispatch-sse',
    packages: [sdk1],
    workloads: everything,
    start: async () => (await import('./dispatch.ts')).startDispatch({ sse: true }),
  },
]

const ours: readonly Target[] = [
  {
    name: 'ours-node',
    packages: [core, sdk1],
    workloads: [...ownEverything, 'W9'],
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
    workloads: everything,
    start: async () => (await import('./ours.ts')).startOnExpress(),
  },
  {
    name: 'ours-fastify',
    packages: [core, '@throughline/mcp-http-fastify', 'fastify', sdk1],
    workloads: everything,
    start: async () => (await import('./ours.ts')).startOnFastify(),
  },
  {
    name: 'ours-koa',
    packages: [core, '@throughline/mcp-http-koa', 'koa', sdk1],
    workloads: everything,
    start: async () => (await import('./ours.ts')).startOnKoa(),
  },
  {
    name: 'ours-hono',
    packages: [core, '@throughline/mcp-http-hono', 'hono', '@hono/node-server', sdk1],
    workloads: everything,
    start: async () => (await import('./ours.ts')).startOnHono(),
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

const peers: readonly Target[] = [
  {
    name: 'sdk1-node',
    packages: [sdk1],
    workloads: everything,
    start: async () => (await import('./sdk1.ts')).startOnNode(),
  },
  {
    name: 'sdk1-node-json',
    packages: [sdk1],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1.ts')).startOnNode({ json: true }),
  },
  {
    name: 'sdk1-node-resume',
    packages: [sdk1],
    workloads: ['W6'],
    start: async () => (await import('./sdk1.ts')).startOnNode({ resumable: true }),
  },
  {
    name: 'sdk1-express',
    packages: [sdk1, 'express'],
    workloads: everything,
    start: async () => (await import('./sdk1.ts')).startOnExpress(),
  },
  {
    name: 'sdk1-express-json',
    packages: [sdk1, 'express'],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1.ts')).startOnExpress({ json: true }),
  },
  {
    name: 'sdk2-node',
    packages: ['@modelcontextprotocol/server', '@modelcontextprotocol/node'],
    workloads: everything,
    start: async () => (await import('./sdk2.ts')).startOnNode(),
  },
  {
    name: 'sdk2-handler',
    packages: ['@modelcontextprotocol/server', '@modelcontextprotocol/node'],
    // It has no sessions.
    workloads: ['W1', 'W4', 'W5'],
    start: async () => (await import('./sdk2.ts')).startHandler(),
  },
  {
    name: 'mcp-handler',
    packages: ['mcp-handler', '@modelcontextprotocol/server', '@modelcontextprotocol/node'],
    workloads: ['W1', 'W4', 'W5'],
    start: async () => (await import('./sdk2.ts')).startVercelHandler(),
  },
  {
    name: 'hono-mcp',
    packages: ['@hono/mcp', 'hono', '@hono/node-server', sdk1],
    workloads: everything,
    start: async () => (await import('./hono-mcp.ts')).startHonoMcp(),
  },
  {
    name: 'hono-mcp-json',
    packages: ['@hono/mcp', 'hono', '@hono/node-server', sdk1],
    workloads: withoutProgress,
    start: async () => (await import('./hono-mcp.ts')).startHonoMcp({ json: true }),
  },
  {
    name: 'tmcp',
    packages: ['tmcp', '@tmcp/transport-http', 'srvx'],
    workloads: everything,
    start: async () => (await import('./tmcp.ts')).startTmcp(),
  },
  {
    name: 'fastmcp',
    packages: ['fastmcp'],
    workloads: everything,
    start: async () => (await import('./fastmcp.ts')).startFastmcp(),
  },
]

export const targets: readonly Target[] = [...floors, ...dispatches, ...ours, ...guards, ...peers]

/** @throws RangeError for a name that is none. */
export function findTarget(name: string): Target {
  const target = targets.find((target) => target.name === name)
  if (target) return target
  throw new RangeError(`Expected a target (${targets.map(({ name }) => name).join(', ')}), got "${name}"`)
}
