/** What is asked of clients, in this order. `drivers/checks.mjs` has how. */
export const features = ['list', 'call', 'unknown', 'progress', 'cancel', 'ask', 'change', 'large'] as const

export type Feature = (typeof features)[number]

export type EraName = '2025' | '2026'

/** A way to use one published client. */
export interface Client {
  /** In tables, and as the last part of the URL that it is given. */
  readonly name: string
  /** What is installed for it, pinned. Clients of the same packages share a folder. */
  readonly packages: readonly string[]
  /** A file of `drivers`. */
  readonly driver: string
  /** For the driver. */
  readonly setting?: string
  /** Which serves it where both are served. */
  readonly era: EraName
  /** Features that it has not, or does not show to those who use it. */
  readonly lacks: readonly Feature[]
  /** Features that it has in a way that no server can serve: a script of `findings` shows each. */
  readonly breaks?: readonly Feature[]
  /** What it sends on its way that is refused, in order. */
  readonly refusals?: readonly string[]
  /** It is driven in a browser, and left out where there is none. */
  readonly inBrowser?: true
}

const client2 = { packages: ['@modelcontextprotocol/client@2.4.0'], driver: 'client-2', lacks: [] } as const
const mcpRemote = {
  packages: ['mcp-remote@0.15.1', '@modelcontextprotocol/sdk@1.32.2'],
  driver: 'mcp-remote',
  // It looks for streams and for an authorization server before it says anything.
  refusals: ['GET 400', 'GET 406', 'GET 400'],
} as const

const inspector = {
  // It wants Node 22.19, which this process may not be.
  packages: [
    '@modelcontextprotocol/inspector@2.12.0',
    'playwright-core@1.65.1',
    `node-${process.platform}-${process.arch}@24.22.3`,
  ],
  driver: 'mcp-inspector',
  // Its page makes one call at a time, of tools that are listed; the others are not driven.
  lacks: ['unknown', 'cancel', 'change', 'large'],
  inBrowser: true,
} as const

const auto: Client = { ...client2, name: 'client-2.4.0-auto', setting: 'auto', era: '2026' }
const pinned: Client = { ...client2, name: 'client-2.4.0-pinned', setting: '2026-07-28', era: '2026' }

const aiSdk: Client = {
  name: 'ai-sdk-mcp-2.0.99',
  packages: ['@ai-sdk/mcp@2.0.99'],
  driver: 'ai-sdk',
  era: '2026',
  lacks: ['progress', 'change'],
}

const agentsCore: Client = {
  name: 'agents-core-0.20.0',
  packages: ['@openai/agents-core@0.20.0', '@modelcontextprotocol/client@2.4.0'],
  driver: 'agents-core',
  era: '2026',
  lacks: ['progress', 'ask', 'change'],
}

const mastra: Client = {
  name: 'mastra-mcp-2.0.0',
  packages: ['@mastra/mcp@2.0.0', '@mastra/core@1.71.0'],
  driver: 'mastra',
  era: '2026',
  lacks: ['unknown'],
}

/** Those of a server that serves both eras. Neighbours run at the same time, so that both eras are in use at once. */
export const ofBothEras: readonly Client[] = [
  { ...inspector, name: 'mcp-inspector-2.12.0', setting: 'legacy', era: '2025' },
  { ...sdk1('1.10.2'), lacks: ['ask'] },
  auto,
  sdk1('1.17.5'),
  pinned,
  sdk1('1.32.2'),
  aiSdk,
  { ...client2, name: 'client-2.4.0-legacy', setting: 'legacy', era: '2025' },
  agentsCore,
  { ...mcpRemote, name: 'mcp-remote-0.15.1', setting: 'legacy', era: '2025', lacks: [] },
  mastra,
  // findings/mcp-remote-leaves-cancelled-calls-running.sh
  { ...mcpRemote, name: 'mcp-remote-0.15.1-auto', setting: 'auto', era: '2026', lacks: [], breaks: ['cancel'] },
  { ...inspector, name: 'mcp-inspector-2.12.0-modern', setting: 'modern', era: '2026' },
]

function sdk1(version: string): Client {
  const packages = [`@modelcontextprotocol/sdk@${version}`]
  return { name: `sdk-${version}`, packages, driver: 'sdk-1', era: '2025', lacks: [] }
}

/** A client that prefers 2026-07-28, of a server whose factory cannot serve it. */
export interface Fallback {
  readonly client: Client
  /** What it sends after the fallback that is refused. */
  readonly refusals: readonly string[]
  /** It speaks nothing else: what it has to say. */
  readonly failure?: RegExp
}

export const ofOneEra: readonly Fallback[] = [
  { client: auto, refusals: [] },
  { client: aiSdk, refusals: ['GET 400'] },
  { client: agentsCore, refusals: [] },
  { client: mastra, refusals: [] },
  { client: pinned, refusals: [], failure: /2026-07-28/ },
]

/** A program of `server`, and what is installed for it beside the core. */
export interface Program {
  readonly name: string
  readonly file: string
  readonly packages: readonly string[]
}

export const bothEras: Program = {
  name: 'Both eras: a factory of @modelcontextprotocol/server 2.4.0',
  file: 'sdk-2.mjs',
  packages: ['@modelcontextprotocol/server@2.4.0', 'zod@4.6.7'],
}

/** With and without the SDK that the factory does not use: the core looks for it either way. */
export const oneEra: readonly Program[] = [
  {
    name: 'One era: a factory of @modelcontextprotocol/sdk 1.32.2',
    file: 'sdk-1.mjs',
    packages: ['@modelcontextprotocol/sdk@1.32.2', 'zod@4.6.7'],
  },
  {
    name: 'One era: the same, with @modelcontextprotocol/server 2.4.0 installed beside it',
    file: 'sdk-1.mjs',
    packages: ['@modelcontextprotocol/sdk@1.32.2', '@modelcontextprotocol/server@2.4.0', 'zod@4.6.7'],
  },
]
