// The SDKs' own transports, and other libraries, as their documentation mounts them.
import { everything, sdk1, sdk2, type Target, withNotify, withoutProgress } from './target.ts'

export const peers: readonly Target[] = [
  {
    name: 'sdk1-node',
    packages: [sdk1],
    workloads: withNotify,
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
    start: async () => (await import('./sdk1-frameworks.ts')).startOnExpress(),
  },
  {
    name: 'sdk1-express-json',
    packages: [sdk1, 'express'],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnExpress({ json: true }),
  },
  {
    name: 'sdk1-fastify',
    packages: [sdk1, 'fastify'],
    workloads: everything,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnFastify(),
  },
  {
    name: 'sdk1-fastify-json',
    packages: [sdk1, 'fastify'],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnFastify({ json: true }),
  },
  {
    name: 'sdk1-koa',
    packages: [sdk1, 'koa'],
    workloads: everything,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnKoa(),
  },
  {
    name: 'sdk1-koa-json',
    packages: [sdk1, 'koa'],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnKoa({ json: true }),
  },
  {
    name: 'sdk1-hono',
    packages: [sdk1, 'hono', '@hono/node-server'],
    workloads: everything,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnHono(),
  },
  {
    name: 'sdk1-hono-json',
    packages: [sdk1, 'hono', '@hono/node-server'],
    workloads: withoutProgress,
    start: async () => (await import('./sdk1-frameworks.ts')).startOnHono({ json: true }),
  },
  {
    name: 'sdk2-node',
    packages: [sdk2, '@modelcontextprotocol/node'],
    workloads: withNotify,
    start: async () => (await import('./sdk2.ts')).startOnNode(),
  },
  {
    name: 'sdk2-handler',
    packages: [sdk2, '@modelcontextprotocol/node'],
    // It has no sessions.
    workloads: ['W1', 'W4', 'W5'],
    start: async () => (await import('./sdk2.ts')).startHandler(),
  },
  {
    name: 'sdk2-handler-2026',
    packages: [sdk2, '@modelcontextprotocol/node'],
    workloads: ['W1', 'W12', 'W12B'],
    revision: '2026-07-28',
    start: async () => (await import('./sdk2.ts')).startHandler(),
  },
  {
    name: 'mcp-handler',
    packages: ['mcp-handler', sdk2, '@modelcontextprotocol/node'],
    workloads: ['W1', 'W4', 'W5'],
    start: async () => (await import('./sdk2.ts')).startVercelHandler(),
  },
  {
    name: 'mcp-handler-2026',
    packages: ['mcp-handler', sdk2, '@modelcontextprotocol/node'],
    workloads: ['W1'],
    revision: '2026-07-28',
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
    name: 'tmcp-2026',
    packages: ['tmcp', '@tmcp/transport-http', 'srvx'],
    workloads: ['W1'],
    revision: '2026-07-28',
    start: async () => (await import('./tmcp.ts')).startTmcp(),
  },
  {
    name: 'fastmcp',
    packages: ['fastmcp'],
    workloads: everything,
    start: async () => (await import('./fastmcp.ts')).startFastmcp(),
  },
]
