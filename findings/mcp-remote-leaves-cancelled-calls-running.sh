#!/usr/bin/env bash
# Finding: mcp-remote with `--protocol auto` cancels no call of a 2026-07-28 server: what was cancelled runs on.
#
# Packages: mcp-remote 0.15.1, @modelcontextprotocol/sdk 1.32.2 (the client on its stdio), @modelcontextprotocol/server
#   2.4.0 with @modelcontextprotocol/node 2.1.2 (the server), @modelcontextprotocol/client 2.4.0 for comparison.
# Expected: MCP 2026-07-28, Cancellation, Transport-Specific Cancellation: on Streamable HTTP a client cancels by closing
#   the response stream of the call; no `notifications/cancelled` "is required or expected".
# Instead: mcp-remote passes the `notifications/cancelled` of its client on as a POST of its own, which is answered 202
#   and reaches nobody, and goes on to read the response of the call. The handler is not told within the 5 s watched. The
#   official client, on the same server, closes the response, and the handler is told at once.
# It means: behind mcp-remote a user's "stop", and every timeout of a client, leaves the tool running on the server until
#   it is done, and its answer is thrown away. Work that costs needs a limit of its own in the tool.
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
  mcp-remote@0.15.1 @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 \
  @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/node@2.1.2

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as ClientOf2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'

const WATCHED_MS = 5_000
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}, @modelcontextprotocol/server ${version('@modelcontextprotocol/server')}`)

// A server of one tool that takes longer than anyone watches. `scene` is what is seen of it.
let scene
const serve = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'one', version: '1.0.0' })
    server.registerTool('work', {}, async ({ mcpReq }) => {
      scene.running = true
      mcpReq.signal.addEventListener('abort', () => (scene.told = true))
      await wait(4 * WATCHED_MS, undefined, { signal: mcpReq.signal, ref: false })
      return { content: [{ type: 'text', text: 'done' }] }
    })
    return server
  }),
)
const server = createServer(async (request, response) => {
  // Where mcp-remote looks for an authorization server.
  if (request.url !== '/mcp') return response.writeHead(404).end()
  const parts = []
  for await (const part of request) parts.push(part)
  const text = Buffer.concat(parts).toString()
  const message = text === '' ? undefined : JSON.parse(text)
  const seen = scene
  if (message?.method === 'tools/call') response.on('close', () => (seen.closed = !response.writableFinished))
  if (message?.method === 'notifications/cancelled')
    response.on('finish', () => seen.cancels.push(`${request.headers['mcp-protocol-version']} ${response.statusCode}`))
  await serve(request, response, message)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/mcp`

async function official() {
  const client = new ClientOf2({ name: 'finding', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return { call: (signal) => client.callTool({ name: 'work', arguments: {} }, { signal }), close: () => client.close() }
}
async function remote() {
  const args = ['node_modules/mcp-remote/dist/proxy.js', url, '--protocol', 'auto']
  const env = { ...process.env, MCP_REMOTE_CONFIG_DIR: `${process.cwd()}/mcp-remote` }
  const client = new ClientOf1({ name: 'finding', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }))
  const call = (signal) => client.callTool({ name: 'work', arguments: {} }, undefined, { signal })
  return { call, close: () => client.close() }
}

async function observe(connect) {
  scene = { running: false, told: false, closed: false, cancels: [] }
  const { call, close } = await connect()
  const controller = new AbortController()
  const outcome = call(controller.signal).then(
    () => 'answered',
    () => 'rejected',
  )
  while (!scene.running) await wait(20)
  controller.abort()
  const limit = Date.now() + WATCHED_MS
  while (!scene.told && Date.now() < limit) await wait(50)
  const { told, closed, cancels } = scene
  console.log(`  the client's call: ${await outcome}; its response closed: ${closed}; the tool was told: ${told}`)
  console.log(`  POSTs of notifications/cancelled (version, status): ${cancels.join(', ') || 'none'}`)
  await close()
  return { told, closed, cancels: cancels.join() }
}

console.log(`@modelcontextprotocol/client ${version('@modelcontextprotocol/client')}, auto`)
const direct = await observe(official)
console.log(`mcp-remote ${version('mcp-remote')}, --protocol auto`)
const proxied = await observe(remote)

const changed = []
if (!direct.told || !direct.closed || direct.cancels !== '') changed.push('the official client')
if (proxied.told || proxied.closed || proxied.cancels !== '2026-07-28 202') changed.push('mcp-remote')
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: behind mcp-remote a cancelled call runs on; the official client closes it')
process.exit(0)
JS
timeout 45 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 45 s' >&2
[ "$status" -eq 0 ] || exit 1
