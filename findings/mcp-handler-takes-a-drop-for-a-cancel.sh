#!/usr/bin/env bash
# Finding: createMcpHandler of the official SDK aborts a 2025-11-25 call when its connection drops.
#
# Packages: @modelcontextprotocol/server 2.4.0, @modelcontextprotocol/node 2.1.2, zod 4.4.3.
# Expected: MCP 2025-11-25, Transports, Sending Messages 6: disconnection may occur at any time and SHOULD NOT be
#   taken for a cancellation; a client cancels by `notifications/cancelled`. (2026-07-28 says otherwise.)
# Instead: the handler also serves 2025-11-25, and there a dropped connection fires the tool's abort signal with
#   "Connection closed". The transport class of the same release, mounted by hand for the same tool, lets it run on.
# It means: a tool that honours its signal, as it should, stops half way through its work on a blip of a network, for
#   clients that by their revision count on it to go on. Whoever moves from the class to the handler gets this.
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
  @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/node@2.1.2 zod@4.4.3

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import * as z from 'zod'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}`)
for (const name of ['@modelcontextprotocol/server', '@modelcontextprotocol/node', 'zod']) console.log(`${name} ${version(name)}`)

const STEPS = 10
let work
function buildServer() {
  const server = new McpServer({ name: 'worker', version: '1.0.0' })
  server.registerTool('work', { inputSchema: z.object({}) }, async (_, { mcpReq: { signal } }) => {
    work.started = true
    while (work.steps < STEPS && !signal.aborted) {
      await wait(150)
      work.steps += 1
    }
    work.reason = signal.aborted ? String(signal.reason) : undefined
    work.over = true
    return { content: [{ type: 'text', text: `${work.steps} steps` }] }
  })
  return server
}

const mounts = {
  createMcpHandler: toNodeHandler(createMcpHandler(buildServer)),
  async 'transport class, no sessions'(incoming, response) {
    const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined })
    await buildServer().connect(transport)
    await transport.handleRequest(incoming, response)
  },
}

function post(port, message, headers = {}) {
  const accept = 'application/json, text/event-stream'
  const outgoing = request({
    host: '127.0.0.1', port, path: '/mcp', method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
  })
  outgoing.on('error', () => {}) // the check drops one connection on purpose
  outgoing.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
  return outgoing
}
async function text(outgoing) {
  const [response] = await once(outgoing, 'response')
  let body = ''
  for await (const part of response) body += part
  return `${response.statusCode} ${body}`
}

async function observe(name, dropped) {
  work = { started: false, steps: 0, over: false, reason: undefined }
  const server = createServer(mounts[name])
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const clientInfo = { name: 'finding', version: '1.0.0' }
  const opened = await text(post(port, { id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } }))
  const negotiated = opened.includes('"protocolVersion":"2025-11-25"')
  const revision = { 'mcp-protocol-version': '2025-11-25' }
  await text(post(port, { method: 'notifications/initialized' }, revision))
  const call = post(port, { id: 2, method: 'tools/call', params: { name: 'work', arguments: {} } }, revision)
  call.on('response', (response) => response.on('error', () => {}).resume())
  while (!work.started) await wait(10)
  await wait(200)
  if (dropped) call.destroy()
  const limit = Date.now() + 5_000
  while (!work.over && Date.now() < limit) await wait(20)
  server.closeAllConnections()
  server.close()
  console.log(`${name}, ${dropped ? 'connection dropped' : 'connection kept'}: 2025-11-25 negotiated ${negotiated}; ${work.steps} of ${STEPS} steps; abort reason: ${work.reason ?? 'none'}`)
  return { negotiated, whole: work.steps === STEPS && work.reason === undefined }
}

const changed = []
for (const name of Object.keys(mounts)) {
  for (const dropped of [false, true]) {
    const { negotiated, whole } = await observe(name, dropped)
    const stated = !(dropped && name === 'createMcpHandler')
    if (!negotiated || whole !== stated) changed.push(`${name}, dropped ${dropped}: negotiated ${negotiated}, ran to its end ${whole}`)
  }
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: a dropped connection aborts a 2025-11-25 call under createMcpHandler, not under the transport class')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
