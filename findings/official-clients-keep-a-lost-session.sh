#!/usr/bin/env bash
# Finding: the official TypeScript clients keep using a session id that was answered 404.
#
# Packages: @modelcontextprotocol/sdk 1.32.2, @modelcontextprotocol/client 2.4.0.
# Expected: MCP 2025-11-25, Transports, Session Management, 4: a client that receives 404 to a request with an
#   `Mcp-Session-Id` MUST start a new session by an InitializeRequest without a session id.
# Instead: the call is rejected, no `initialize` is sent, `onclose` is not called, and the transport keeps the id, so
#   each later call of the same client gets the same 404. In 2.x the error's `code` even says
#   CLIENT_HTTP_NOT_IMPLEMENTED, which names neither 404 nor a session; the status is in `error.status`.
# It means: after a restart of a server that holds sessions in memory, an application on these clients stays broken
#   until it builds a new client and transport by itself. A server cannot rely on 404 to bring clients back.
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
  @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Client as ClientOf2, StreamableHTTPClientTransport as TransportOf2 } from '@modelcontextprotocol/client'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportOf1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version

// A sessionful server of one tool. `forget` is what a restart does to sessions in memory.
const sessions = new Set()
let issued = 0
let wire = []
const forget = () => sessions.clear()

function answer(method, message, sessionId) {
  const result = (value, headers = {}) => ({ status: 200, headers, body: { jsonrpc: '2.0', id: message.id, result: value } })
  if (message?.method === 'initialize') {
    issued += 1
    sessions.add(`session-${issued}`)
    const value = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'one-tool', version: '1.0.0' } }
    return result(value, { 'mcp-session-id': `session-${issued}` })
  }
  if (!sessions.has(sessionId)) {
    return { status: 404, body: { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } } }
  }
  if (method === 'GET') return { status: 405 }
  if (message?.id === undefined) return { status: 202 }
  return result({ content: [{ type: 'text', text: 'done' }] })
}

const server = createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  const message = text === '' ? undefined : JSON.parse(text)
  const sessionId = request.headers['mcp-session-id']
  const { status, headers = {}, body } = answer(request.method, message, sessionId)
  wire.push({ method: message?.method, sessionId, status })
  console.log(`  wire: ${request.method} ${message?.method ?? ''} [${sessionId ?? 'no session'}] -> ${status}`)
  response.writeHead(status, body ? { 'content-type': 'application/json', ...headers } : headers)
  response.end(body && JSON.stringify(body))
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`)

async function connect({ Client, Transport }) {
  const client = new Client({ name: 'finding', version: '1.0.0' })
  const transport = new Transport(url)
  await client.connect(transport)
  return { client, transport }
}

async function call(client) {
  try {
    await client.callTool({ name: 'work', arguments: {} })
    console.log('  call: answered')
    return true
  } catch (error) {
    console.log(`  call: rejected, ${error.constructor.name}, code ${error.code}, status ${error.status}`)
    return false
  }
}

async function asStated(kind) {
  const { client, transport } = await connect(kind)
  let closed = false
  client.onclose = () => (closed = true)
  const before = await call(client)
  forget()
  wire = []
  const after = [await call(client), await call(client), await call(client)]
  const initialized = wire.some((request) => request.method === 'initialize')
  const statuses = wire.map((request) => request.status).join(' ')
  console.log(`  after the loss: statuses ${statuses}; initialize sent: ${initialized}; closed: ${closed}; session id kept: ${transport.sessionId}`)
  const kept = transport.sessionId !== undefined
  const stated = before && !after.includes(true) && !initialized && !closed && kept && statuses === '404 404 404'
  await client.close()
  const anew = await connect(kind)
  const recovered = await call(anew.client)
  await anew.client.close()
  return stated && recovered
}

const kinds = [
  { name: '@modelcontextprotocol/sdk', Client: ClientOf1, Transport: TransportOf1 },
  { name: '@modelcontextprotocol/client', Client: ClientOf2, Transport: TransportOf2 },
]
console.log(`node ${process.version}`)
const changed = []
for (const kind of kinds) {
  console.log(`${kind.name} ${version(kind.name)}`)
  if (!(await asStated(kind))) changed.push(kind.name)
}
server.closeAllConnections()
server.close()
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: after a 404 both clients reject three calls, send no initialize and keep the session id')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
