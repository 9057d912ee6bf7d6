#!/usr/bin/env bash
# Finding: in 2026-07-28 the official client's option `listChanged` hears no more of changes after its first lost connection.
#
# Packages: @modelcontextprotocol/client 2.4.0, @modelcontextprotocol/server 2.4.0, @modelcontextprotocol/node 2.1.2,
#   zod 4.4.3.
# Expected: an application gives `listChanged: { tools: { onChanged } }` to the constructor and is told of changes for as
#   long as it is connected. In a session of 2025-11-25 it is: the client opens the lost GET stream again by itself. The
#   client opens `subscriptions/listen` of 2026-07-28 by itself as well, and so should open it again.
# Instead: it is opened once. After the connection is reset no second one follows within the 5 s watched, though the server
#   is there and answers calls; the one error told is that of the lost stream, the same as in the session that recovers.
#   When a proxy or server ends the stream in order no error is told at all. `onclose` is not called.
# It means: the same application, on the same server, goes deaf for good by the first idle timeout of a proxy or restart of
#   a server once both speak 2026-07-28. It has to wait for `client.autoOpenedSubscription.closed`, and to call `listen()`.
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
  @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/node@2.1.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const WATCHED_MS = 5_000
console.log(`node ${process.version}`)
for (const name of ['client', 'server', 'node']) {
  const { version } = JSON.parse(readFileSync(`node_modules/@modelcontextprotocol/${name}/package.json`, 'utf8'))
  console.log(`@modelcontextprotocol/${name} ${version}`)
}

function createApp() {
  const app = new McpServer({ name: 'lists', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } })
  app.registerTool('work', { inputSchema: z.object({}) }, async () => ({ content: [] }))
  return app
}

function modern() {
  const handler = createMcpHandler(createApp)
  return { listener: toNodeHandler(handler), change: () => handler.notify.toolsChanged() }
}
// One session, mounted by hand as the documentation of the release has it.
function sessionful() {
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
  const app = createApp()
  const connected = app.connect(transport)
  const listener = async (request, response) => {
    await connected
    await transport.handleRequest(request, response)
  }
  return { listener, change: () => app.sendToolListChanged() }
}

async function observe({ listener, change }, mode, lose) {
  const streams = []
  const server = createServer((request, response) => {
    const listens = request.method === 'GET' || request.headers['mcp-method'] === 'subscriptions/listen'
    if (listens) streams.push(response)
    listener(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const told = []
  let heard = 0
  const onChanged = () => { heard += 1 }
  const listChanged = { tools: { onChanged, autoRefresh: false, debounceMs: 0 } }
  const client = new Client({ name: 'finding', version: '1.0.0' }, { listChanged, versionNegotiation: { mode } })
  client.onerror = (error) => told.push(error.message)
  client.onclose = () => told.push('onclose')
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.address().port}/mcp`)))
  await wait(300)
  await change()
  await wait(300)
  const before = heard
  lose(streams[0])
  await wait(WATCHED_MS)
  await change()
  await wait(300)
  const { tools } = await client.listTools()
  const seen = { before, after: heard - before, opened: streams.length, told: told.length, tools: tools.length }
  const version = client.getNegotiatedProtocolVersion()
  console.log(`${version}, ${lose.name}: heard ${before} before, ${seen.after} after; streams opened ${seen.opened}; told: ${told.join('; ') || 'nothing'}`)
  await client.close()
  server.closeAllConnections()
  server.close()
  return JSON.stringify(seen)
}

const reset = (response) => response.destroy()
const ended = (response) => response.end()
const pinned = { pin: '2026-07-28' }
const rows = [
  [await observe(sessionful(), 'legacy', reset), { before: 1, after: 1, opened: 2, told: 1, tools: 1 }],
  [await observe(sessionful(), 'legacy', ended), { before: 1, after: 1, opened: 2, told: 0, tools: 1 }],
  [await observe(modern(), pinned, reset), { before: 1, after: 0, opened: 1, told: 1, tools: 1 }],
  [await observe(modern(), pinned, ended), { before: 1, after: 0, opened: 1, told: 0, tools: 1 }],
]
const changed = rows.filter(([seen, stated]) => seen !== JSON.stringify(stated))
for (const [seen, stated] of changed) console.error(`  not as stated: ${seen}, stated ${JSON.stringify(stated)}`)
if (changed.length > 0) {
  console.error(`CHANGED: ${changed.length} of ${rows.length} are not as this finding states`)
  process.exit(1)
}
console.log('AS STATED: after a lost stream the option hears of changes in 2025-11-25, and not in 2026-07-28')
process.exit(0)
JS
timeout 60 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
