import { readFileSync } from 'node:fs'
import { type Adapter, type AdapterName, findAdapter, frameworks, startFixture } from '../mounts/index.ts'
import type { RunOptions } from '../src/run-conformance.ts'
import { startHonoMcp } from './hono-mcp.ts'
import type { RunningPeer } from './listen.ts'
import { type Published, published } from './published.ts'
import { startSdk1OnExpress, startSdk1OnNode } from './sdk1.ts'
import { startSdk2Handler, startSdk2OnNode } from './sdk2.ts'
import { startPublished } from './start-published.ts'

/** A way to serve MCP over HTTP that is compared. */
export interface Peer {
  /** Short, for the head of a column. */
  readonly name: string
  /** Packages that it is made of, with their versions. */
  readonly made: string
  /** How it is checked, beyond its URL. */
  readonly options?: Partial<RunOptions>
  start(): Promise<RunningPeer>
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`
}

/** What waits longer and floods is only for those who have the fixture, and with it what these checks need. */
const withFixture: Partial<RunOptions> = { abuse: true }

function ours({ name, package: adapter, framework: [framework] }: Adapter<AdapterName>): Peer {
  const made = framework === undefined ? [adapter] : [adapter, framework]
  return {
    name: `throughline ${name}`,
    made: made.map(versionOf).join(', '),
    options: withFixture,
    start: () => startFixture({ adapter: name }),
  }
}

function installed(peer: Published): Peer {
  const { name, packages, token, tools } = peer
  return {
    name,
    made: Object.entries(packages)
      .map(([of, version]) => `${of} ${version}`)
      .join(', '),
    options: {
      ...(token === undefined ? {} : { credentials: { token } }),
      ...(tools === undefined ? {} : { roles: new Map(Object.entries(tools)) }),
    },
    start: () => startPublished(peer),
  }
}

const sdk1 = versionOf('@modelcontextprotocol/sdk')
const sdk2 = [versionOf('@modelcontextprotocol/server'), versionOf('@modelcontextprotocol/node')].join(', ')
const sdk1OnExpress = `${sdk1}, ${versionOf('express')}`
const honoMcp = `${versionOf('@hono/mcp')}, ${versionOf('hono')}`

/** The same tools behind each, as far as it can serve them. */
const withTheFixture: readonly Peer[] = [
  ...[findAdapter('node'), ...frameworks].map(ours),
  { name: 'SDK 1 express', made: sdk1OnExpress, options: withFixture, start: () => startSdk1OnExpress() },
  {
    name: 'SDK 1 express JSON',
    made: sdk1OnExpress,
    options: withFixture,
    start: () => startSdk1OnExpress({ json: true }),
  },
  { name: 'SDK 1 node', made: sdk1, options: withFixture, start: () => startSdk1OnNode() },
  { name: 'SDK 2 node', made: sdk2, options: withFixture, start: startSdk2OnNode },
  { name: 'SDK 2 createMcpHandler', made: sdk2, options: withFixture, start: startSdk2Handler },
  { name: '@hono/mcp', made: honoMcp, options: withFixture, start: startHonoMcp },
]

/** In the order of the columns. */
export const peers: readonly Peer[] = [...withTheFixture, ...published.map(installed)]
