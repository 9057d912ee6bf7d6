#!/usr/bin/env bash
# Finding: mcp-lite answers 400 to a GET that names the protocol version which it negotiated itself.
#
# Packages: mcp-lite 0.10.0, @modelcontextprotocol/sdk 1.32.2 (as the client).
# Expected: MCP 2025-11-25, Transports, Protocol Version Header: a client sends the version negotiated during
#   initialization on all requests; Listening for Messages 3: the server MUST answer a GET with an event stream or 405.
# Instead: a client that asks for 2025-11-25, as today's official clients do, is given 2025-03-26. A GET with
#   `MCP-Protocol-Version: 2025-03-26` is then answered 400 "Protocol version mismatch", one without the header opens a
#   stream, and a POST with the header is served. In a session of 2025-06-18 the GET with its version works.
# It means: today's clients have no standalone stream on such a server: what it pushes outside of calls reaches none of
#   them, and each connect reports an error. Nothing is wrong for who tests with 2025-06-18, or with curl and no header.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact mcp-lite@0.10.0 @modelcontextprotocol/sdk@1.32.2

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InMemorySessionAdapter, McpServer, StreamableHttpTransport } from 'mcp-lite'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}`)
for (const name of ['mcp-lite', '@modelcontextprotocol/sdk']) console.log(`${name} ${version(name)}`)

// With sessions, as the README has it for a single server. Every request is a Request, as in its adapters.
const sessionAdapter = new InMemorySessionAdapter({ maxEventBufferSize: 1024 })
const handle = new StreamableHttpTransport({ sessionAdapter }).bind(new McpServer({ name: 'tiny', version: '1.0.0' }))
const server = createServer(async (incoming, outgoing) => {
  let body = ''
  for await (const part of incoming) body += part
  const { method, headers } = incoming
  const request = new Request(`http://127.0.0.1${incoming.url}`, { method, headers, ...(body === '' ? {} : { body }) })
  const response = await handle(request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.flushHeaders()
  outgoing.on('close', () => response.body?.cancel().catch(() => {}))
  if (response.body !== null) for await (const part of response.body) outgoing.write(part)
  outgoing.end()
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`)

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
async function open(protocolVersion) {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'finding', version: '1.0.0' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
  const response = await fetch(url, { method: 'POST', headers: json, body })
  return { id: response.headers.get('mcp-session-id'), negotiated: (await response.json()).result.protocolVersion }
}
async function get(id, versionHeader) {
  const abort = new AbortController()
  const headers = { accept: 'text/event-stream', 'mcp-session-id': id, ...versionHeader }
  const response = await fetch(url, { headers, signal: abort.signal })
  abort.abort()
  return response.status
}

async function observe(asked) {
  const { id, negotiated } = await open(asked)
  const named = { 'mcp-protocol-version': negotiated }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' })
  const post = (await fetch(url, { method: 'POST', headers: { ...json, ...named, 'mcp-session-id': id }, body })).status
  // Its own session for each stream: a second one at a time is refused.
  const without = await get((await open(asked)).id, {})
  const seen = `${negotiated}, POST ${post}, GET ${await get(id, named)}, GET without header ${without}`
  console.log(`asked for ${asked}: negotiated ${seen}`)
  return seen
}

const current = await observe('2025-11-25')
const older = await observe('2025-06-18')
const client = new Client({ name: 'finding', version: '1.0.0' })
const errors = []
client.onerror = (error) => errors.push(error.message)
await client.connect(new StreamableHTTPClientTransport(url))
await wait(500)
console.log(`official client: connected; errors: ${errors.join('; ') || 'none'}`)
await client.close()
server.closeAllConnections()
server.close()

const stated =
  current === '2025-03-26, POST 200, GET 400, GET without header 200' &&
  older === '2025-06-18, POST 200, GET 200, GET without header 200' &&
  errors.some((error) => error.includes('Failed to open SSE stream'))
if (!stated) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: the version it negotiated itself is 400 on GET, and the official client has no standalone stream')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
