#!/usr/bin/env bash
# Finding: AgentCat takes the argument `context` from tools that have one of their own, and all pages of a list but the first.
#
# Packages: agentcat 1.0.1, @modelcontextprotocol/sdk 1.32.2, zod 4.4.3.
# Expected: AgentCat adds a parameter `context` to each tool, in which a model says why it calls, and takes it from the arguments
#   again. A tool that has a parameter of this name is left alone in the list, so it is in the call. MCP 2025-11-25,
#   Pagination: a list whose result has a `nextCursor` goes on, with whoever passes it on.
# Instead: it is taken from every call. The list shows the tool's own `context`, the schema lets the call pass, and the handler
#   gets it `undefined`, required or not. Of a server that makes its list of tools itself, `nextCursor` is left out of each
#   answer: a client that reads all pages ends after the first. No error is told.
# It means: once analytics are switched on a tool goes wrong with the right arguments on the wire, and others are gone from the
#   list. `enableToolCallContext: false` adds no parameter, and takes `context` away all the same.
set -euo pipefail

dir=$(mktemp -d)
child=
cleanup() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact \
  agentcat@1.0.1 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { track } from 'agentcat'
import { z } from 'zod'

console.log(`node ${process.version}`)
for (const name of ['agentcat', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// Nothing leaves the process: no project, no exporters, and the address of a port that nobody listens on.
const options = { disableDiagnostics: true, apiBaseUrl: 'http://127.0.0.1:9' }
const tracked = (more) => (server) => track(server, null, { ...options, ...more })

async function connect(server) {
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
  await server.connect(serverSide)
  const client = new Client({ name: 'finding', version: '1.0.0' })
  await client.connect(clientSide)
  return client
}

// A tool that explains a word, in the context that it stands in.
async function argument(prepare) {
  const server = new McpServer({ name: 'words', version: '1.0.0' })
  const inputSchema = { word: z.string(), context: z.string().describe('The sentence that it stands in') }
  server.registerTool('explain', { inputSchema }, async (args) => ({
    content: [{ type: 'text', text: `explain got ${Object.keys(args).join(', ')}` }],
  }))
  prepare(server)
  const client = await connect(server)
  const { tools } = await client.listTools()
  const { inputSchema: listed } = tools.find(({ name }) => name === 'explain')
  const { content } = await client.callTool({ name: 'explain', arguments: { word: 'bank', context: 'By the bank of the river' } })
  await client.close()
  return `listed ${listed.required.slice(0, 2).join(', ')} (${listed.properties.context.description}); ${content[0].text}`
}

// Six tools, two on each page.
async function pages(prepare) {
  const server = new Server({ name: 'pages', version: '1.0.0' }, { capabilities: { tools: {} } })
  const all = [1, 2, 3, 4, 5, 6].map((n) => ({ name: `tool-${n}`, inputSchema: { type: 'object', properties: {} } }))
  server.setRequestHandler(ListToolsRequestSchema, async ({ params }) => {
    const from = Number(params?.cursor ?? 0)
    const tools = all.slice(from, from + 2)
    return from + 2 < all.length ? { tools, nextCursor: String(from + 2) } : { tools }
  })
  server.setRequestHandler(CallToolRequestSchema, async () => ({ content: [] }))
  prepare(server)
  const client = await connect(server)
  const names = []
  let cursor
  do {
    const page = await client.listTools({ cursor })
    names.push(...page.tools.map(({ name }) => name))
    cursor = page.nextCursor
  } while (cursor !== undefined)
  await client.close()
  return names.filter((name) => name.startsWith('tool-')).join(', ')
}

const own = 'listed word, context (The sentence that it stands in)'
const rows = [
  ['an own argument, without AgentCat', argument, () => {}, `${own}; explain got word, context`],
  ['an own argument, with it', argument, tracked({}), `${own}; explain got word`],
  ['the same, its context switched off', argument, tracked({ enableToolCallContext: false }), `${own}; explain got word`],
  ['three pages, without AgentCat', pages, () => {}, 'tool-1, tool-2, tool-3, tool-4, tool-5, tool-6'],
  ['three pages, with it', pages, tracked({}), 'tool-1, tool-2'],
]
const changed = []
for (const [name, observe, prepare, stated] of rows) {
  const seen = await observe(prepare)
  console.log(`  ${name.padEnd(35)} ${seen}`)
  if (seen !== stated) changed.push(name)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: with AgentCat a tool does not get its own argument `context`, and a list ends with its first page')
process.exit(0)
JS
# It keeps a log in the home folder.
HOME=$dir timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
