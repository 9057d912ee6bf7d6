#!/usr/bin/env bash
# Finding: @civic/passthrough-mcp-server hands a cancellation on with the id of its own client: another call is cancelled.
#
# Packages: @civic/passthrough-mcp-server 0.12.1 (on stdio), @modelcontextprotocol/sdk 1.32.2 (the server, and a client).
# Expected: MCP 2025-11-25, Cancellation: `requestId` names a request "previously issued in the same direction"; a proxy that
#   gives requests ids of its own has to translate it, as it has to translate the id of the answer.
# Instead: requests are numbered anew, from 0, and `notifications/cancelled` passes unchanged. A client that numbers from 0, as
#   that of the official SDK, is understood by chance. One that numbers from 1 cancels its first call, and the server ends
#   the second: the first runs on, and the second, which nobody cancelled, gets no answer. One with ids like "call-1"
#   cancels nothing.
# It means: every stop and every time-out of such a client ends the work of a call beside it and leaves the one that was meant
#   running, and whoever tests with the official client sees none of it. Ids in notifications cross a proxy as well.
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
  @civic/passthrough-mcp-server@0.12.1 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'

const WORK_MS = 2_000
console.log(`node ${process.version}`)
for (const name of ['@civic/passthrough-mcp-server', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// So that the proxy ends with it.
process.on('SIGTERM', () => process.exit(1))

// What became of each piece of work on the server, by its name.
let work
function buildServer() {
  const server = new McpServer({ name: 'worker', version: '1.0.0' })
  server.registerTool('work', { inputSchema: { name: z.string() } }, async ({ name }, { signal }) => {
    work[name] = 'running'
    work[name] = await wait(WORK_MS, 'done', { signal }).catch(() => 'cancelled')
    return { content: [{ type: 'text', text: name }] }
  })
  return server
}
const transports = new Map()
const http = createServer(async (request, response) => {
  let transport = transports.get(request.headers['mcp-session-id'])
  if (!transport) {
    const onsessioninitialized = (id) => void transports.set(id, transport)
    transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized })
    await buildServer().connect(transport)
  }
  await transport.handleRequest(request, response)
})
http.listen(0, '127.0.0.1')
await once(http, 'listening')

// Two calls at a time through the proxy, the first of which is cancelled. `toId` makes the n-th request's id.
async function observe(toId) {
  work = {}
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['node_modules/@civic/passthrough-mcp-server/dist/cli.js', '--stdio'],
    env: { ...process.env, TARGET_SERVER_URL: `http://127.0.0.1:${http.address().port}` },
    stderr: 'ignore',
  })
  const answers = new Map()
  transport.onmessage = (message) => answers.set(message.id, message)
  await transport.start()
  const { pid } = transport
  const end = () => process.kill(pid)
  process.on('exit', end)
  let count = 0
  async function request(method, params) {
    const id = toId(count++)
    await transport.send({ jsonrpc: '2.0', id, method, params })
    return id
  }
  const notify = (method, params) => transport.send({ jsonrpc: '2.0', method, params })
  const until = async (isTrue) => {
    for (let tries = 0; tries < 200 && !isTrue(); tries++) await wait(25)
  }
  const clientInfo = { name: 'finding', version: '1.0.0' }
  const initialize = await request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
  await until(() => answers.has(initialize))
  await notify('notifications/initialized')
  const first = await request('tools/call', { name: 'work', arguments: { name: 'first' } })
  await until(() => work.first)
  const second = await request('tools/call', { name: 'work', arguments: { name: 'second' } })
  await until(() => work.second)
  await notify('notifications/cancelled', { requestId: first, reason: 'The user changed their mind' })
  await wait(WORK_MS + 1_000)
  process.off('exit', end)
  await transport.close()
  const answered = (id) => (answers.has(id) ? 'answered' : 'no answer')
  return `the first, cancelled: ${work.first}; the second: ${work.second}, ${answered(second)}`
}

const rows = [
  ['0, 1, 2', (n) => n, 'the first, cancelled: cancelled; the second: done, answered'],
  ['1, 2, 3', (n) => n + 1, 'the first, cancelled: done; the second: cancelled, no answer'],
  ['"call-0", …', (n) => `call-${n}`, 'the first, cancelled: done; the second: done, answered'],
]
const changed = []
for (const [ids, toId, stated] of rows) {
  const seen = await observe(toId)
  console.log(`  ids ${ids.padEnd(12)} ${seen}`)
  if (seen !== stated) changed.push(ids)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states, for the ids ${changed.join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: a cancellation keeps the id of the client, and ends whichever call has that id behind the proxy')
process.exit(0)
JS
timeout 60 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
