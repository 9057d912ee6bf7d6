import { readFileSync } from 'node:fs'
import { type Adapter, type AdapterName, findAdapter, frameworks, startFixture } from '../mounts/index.ts'
import { startHonoMcp } from './hono-mcp.ts'
import type { RunningPeer } from './listen.ts'
import { startSdk1OnExpress, startSdk1OnNode } from './sdk1.ts'
import { startSdk2Handler, startSdk2OnNode } from './sdk2.ts'

/** A way to serve MCP over HTTP that is compared. */
export interface Peer {
  /** Short, for the head of a column. */
  readonly name: string
  /** Packages that it is made of, with their versions. */
  readonly made: string
  start(): Promise<RunningPeer>
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`
}

function ours({ name, package: adapter, framework: [framework] }: Adapter<AdapterName>): Peer {
  const made = framework === undefined ? [adapter] : [adapter, framework]
  return {
    name: `throughline ${name}`,
    made: made.map(versionOf).join(', '),
    start: () => startFixture({ adapter: name }),
  }
}

const sdk1 = versionOf('@modelcontextprotocol/sdk')
const sdk2 = [versionOf('@modelcontextprotocol/server'), versionOf('@modelcontextprotocol/node')].join(', ')

/** In the order of the columns. The same tools behind each, as far as it can serve them. */
export const peers: readonly Peer[] = [
  ...[findAdapter('node'), ...frameworks].map(ours),
  { name: 'SDK 1 express', made: `${sdk1}, ${versionOf('express')}`, start: () => startSdk1OnExpress() },
  {
    name: 'SDK 1 express JSON',
    made: `${sdk1}, ${versionOf('express')}`,
    start: () => startSdk1OnExpress({ json: true }),
  },
  { name: 'SDK 1 node', made: sdk1, start: () => startSdk1OnNode() },
  { name: 'SDK 2 node', made: sdk2, start: startSdk2OnNode },
  { name: 'SDK 2 createMcpHandler', made: sdk2, start: startSdk2Handler },
  { name: '@hono/mcp', made: `${versionOf('@hono/mcp')}, ${versionOf('hono')}`, start: startHonoMcp },
]
