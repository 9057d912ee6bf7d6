#!/usr/bin/env bash
# Finding: @ai-sdk/mcp listens again after a broken stream, but not after one closed in order.
#
# Packages: @ai-sdk/mcp 2.0.99, for comparison @modelcontextprotocol/sdk 1.32.2.
# Expected: MCP 2025-11-25, Transports, Listening for Messages 4: a server that closes the connection of a GET stream
#   does so as with POST: an event with an id and empty data first, a `retry` field, then the client polls
#   (Sending Messages 6: "SHOULD"). Closing in order should be at least as good as a connection that breaks.
# Instead: @ai-sdk/mcp reports the event with empty data as a message it cannot parse, and takes the orderly end
#   for the last word: no GET within the 6 s watched (its code plans none), no error told. When the connection is
#   reset instead, a GET with Last-Event-ID follows a second later. The official client opens one in both cases.
# It means: a server or proxy that ends long connections in order silences everything the server sends outside a
#   call for the rest of the session, while calls go on to work. Breaking the connection is the kinder way.
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
  @ai-sdk/mcp@2.0.99 @modelcontextprotocol/sdk@1.32.2

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { createMCPClient } from '@ai-sdk/mcp'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const WATCHED_MS = 6_000
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version

function answer(message) {
  const error = (code, text) => ({ status: 400, body: { jsonrpc: '2.0', id: message.id, error: { code, message: text } } })
  const result = (value) => ({ status: 200, body: { jsonrpc: '2.0', id: message.id, result: value } })
  if (message.id === undefined) return { status: 202 }
  if (message.method === 'initialize') {
    const capabilities = { tools: { listChanged: true } }
    return result({ protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'listener', version: '1.0.0' } })
  }
  if (message.method === 'tools/list') return result({ tools: [{ name: 'work', inputSchema: { type: 'object' } }] })
  return error(-32000, 'Unsupported protocol version')
}

// Keeps each open GET stream, primed with an id and a retry time, for the check to end in one of two ways.
async function listen() {
  const streams = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    if (request.method === 'POST') {
      const { status, body } = answer(JSON.parse(text))
      response.writeHead(status, body ? { 'content-type': 'application/json', 'mcp-session-id': 'session-1' } : {})
      return response.end(body && JSON.stringify(body))
    }
    if (request.method !== 'GET') return response.writeHead(200).end()
    if (request.headers['mcp-session-id'] === undefined) return response.writeHead(400).end()
    console.log(`    wire: GET, Last-Event-ID ${request.headers['last-event-id'] ?? 'none'}`)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`id: event-${streams.length}\nretry: 500\ndata: \n\n`)
    streams.push(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}/mcp`
  const close = () => (server.closeAllConnections(), server.close())
  return { url, streams, close }
}

async function connectAiSdk(url, onError) {
  const client = await createMCPClient({ transport: { type: 'http', url }, onUncaughtError: onError })
  return { list: () => client.tools(), close: () => client.close() }
}
async function connectOfficial(url, onError) {
  const client = new Client({ name: 'finding', version: '1.0.0' })
  client.onerror = onError
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return { list: () => client.listTools(), close: () => client.close() }
}

const ways = {
  'ended in order': (stream) => stream.end(),
  'connection reset': (stream) => stream.destroy(),
}
async function observe(connect, way) {
  const { url, streams, close } = await listen()
  const errors = []
  const client = await connect(url, (error) => errors.push(error.message))
  while (streams.length === 0) await wait(20)
  await wait(300)
  const onPriming = errors.filter((message) => message.includes('parse')).length
  const before = errors.length
  console.log(`  ${way}:`)
  ways[way](streams[0])
  const limit = Date.now() + WATCHED_MS
  while (streams.length === 1 && Date.now() < limit) await wait(50)
  await client.list()
  const seen = { reopened: streams.length > 1, onPriming, told: errors.length - before }
  console.log(`    GET opened again within ${WATCHED_MS} ms: ${seen.reopened}; errors told after the end: ${seen.told}; errors told on the event with empty data: ${seen.onPriming}; a later request works`)
  await client.close()
  close()
  return seen
}

console.log(`node ${process.version}`)
const clients = [
  { name: '@ai-sdk/mcp', connect: connectAiSdk, reopensAfterEnd: false },
  { name: '@modelcontextprotocol/sdk', connect: connectOfficial, reopensAfterEnd: true },
]
const changed = []
for (const { name, connect, reopensAfterEnd } of clients) {
  console.log(`${name} ${version(name)}`)
  const ended = await observe(connect, 'ended in order')
  const reset = await observe(connect, 'connection reset')
  if (ended.reopened !== reopensAfterEnd) changed.push(`${name} after an orderly end: opened again ${ended.reopened}`)
  if (!reset.reopened) changed.push(`${name} after a reset: opened again ${reset.reopened}`)
  if (!reopensAfterEnd && ended.told > 0) changed.push(`${name} after an orderly end: told an error`)
  if ((ended.onPriming === 0) !== reopensAfterEnd) changed.push(`${name} on an event with empty data: ${ended.onPriming} errors`)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: @ai-sdk/mcp listens again after a reset only, the official client after both')
process.exit(0)
JS
timeout 45 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 45 s' >&2
[ "$status" -eq 0 ] || exit 1
