#!/usr/bin/env bash
# Finding: official clients never listen again once their last event id is refused, as mcp-proxy does in long sessions.
#
# Packages: @modelcontextprotocol/sdk 1.32.2, @modelcontextprotocol/client 2.4.0, mcp-proxy 6.7.19 with
#   @modelcontextprotocol/server 2.4.0.
# Expected: MCP 2025-11-25 has a client resume by `Last-Event-ID` "if it wishes": who is told that the id is not known opens the
#   stream without it, and has lost what was missed but not what comes. mcp-proxy keeps 1000 events of a session, and its
#   options promise a new stream to whoever comes back with an older id.
# Instead: the clients ask twice with the same id, whether the answer was 400, 404 or 410, and then never again; calls go on to
#   work, `onclose` is not called. mcp-proxy answers 400 once the id of the last push is dropped, which 600 small calls
#   after it bring about: the next lost connection is the end of all that is pushed in this session.
# It means: the longer a session does well, the surer its first blip makes it deaf. A server that does not know the id of a
#   standalone stream does better to answer 200 and go on with what is new, as the clients have no other way to go on.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @modelcontextprotocol/sdk@1.32.2 \
  @modelcontextprotocol/client@2.4.0 mcp-proxy@6.7.19 @modelcontextprotocol/server@2.4.0

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as ClientOf2, StreamableHTTPClientTransport as TransportOf2 } from '@modelcontextprotocol/client'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportOf1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { McpServer } from '@modelcontextprotocol/server'
import { startHTTPServer } from 'mcp-proxy'

const WATCHED_MS = 6_000
console.log(`node ${process.version}`)
for (const name of ['@modelcontextprotocol/sdk', '@modelcontextprotocol/client', '@modelcontextprotocol/server', 'mcp-proxy']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// Hears of a changed list, and can lose the connection that it listens on.
async function listen({ Client, Transport }, url) {
  let connection
  const gets = []
  async function fetchOverNetwork(input, init) {
    if (init?.method !== 'GET') return fetch(input, init)
    connection = new AbortController()
    const response = await fetch(input, { ...init, signal: AbortSignal.any([connection.signal, init.signal]) })
    gets.push(`${new Headers(init.headers).has('last-event-id') ? 'with id' : 'without'} ${response.status}`)
    return response
  }
  const seen = { heard: 0, closed: 0, gets }
  const client = new Client({ name: 'finding', version: '1.0.0' })
  client.onerror = () => {}
  client.onclose = () => { seen.closed += 1 }
  const method = Client === ClientOf1 ? ToolListChangedNotificationSchema : 'notifications/tools/list_changed'
  client.setNotificationHandler(method, () => { seen.heard += 1 })
  await client.connect(new Transport(new URL(url), { fetch: fetchOverNetwork }))
  await wait(300)
  return { client, seen, lose: () => connection.abort() }
}

// A server that pushes one message to each stream that is asked for without an id, and answers `status` to the others.
async function refusing(status) {
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      const isResume = request.headers['last-event-id'] !== undefined
      response.writeHead(isResume ? status : 200, { 'content-type': 'text/event-stream' })
      if (isResume && status !== 200) return response.end()
      const data = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
      return response.write(`retry: 300\nid: ${isResume ? 'e2' : 'e1'}\ndata: ${data}\n\n`)
    }
    let body = ''
    for await (const part of request) body += part
    const { id, method } = JSON.parse(body === '' ? '{}' : body)
    if (id === undefined) return response.writeHead(202).end()
    const capabilities = { tools: { listChanged: true } }
    const opening = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'refusing', version: '1.0.0' } }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session-1' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: method === 'initialize' ? opening : { tools: [] } }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => (server.closeAllConnections(), server.close())
  return { url: `http://127.0.0.1:${server.address().port}/mcp`, close }
}
async function observeStatus(kind, status) {
  const { url, close } = await refusing(status)
  const { client, seen, lose } = await listen(kind, url)
  lose()
  await wait(WATCHED_MS)
  await client.listTools()
  const text = `heard ${seen.heard}; closed ${seen.closed}; GET ${seen.gets.join(', ')}`
  await client.close()
  close()
  return text
}

async function observeMcpProxy(calls) {
  const probe = createSocketServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  const apps = []
  async function createApp() {
    const app = new McpServer({ name: 'lists', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } })
    app.registerTool('work', {}, async () => ({ content: [] }))
    apps.push(app)
    return app.server
  }
  const say = console.log
  console.log = () => {}
  const proxy = await startHTTPServer({ host: '127.0.0.1', port, createServer: createApp })
  const { client, seen, lose } = await listen({ Client: ClientOf1, Transport: TransportOf1 }, `http://127.0.0.1:${port}/mcp`)
  apps[0].sendToolListChanged()
  await wait(300)
  const before = seen.heard
  for (let count = 0; count < calls; count++) await client.callTool({ name: 'work', arguments: {} })
  lose()
  await wait(WATCHED_MS)
  apps[0].sendToolListChanged()
  await wait(300)
  await client.callTool({ name: 'work', arguments: {} })
  const text = `heard ${before} before, ${seen.heard - before} after; closed ${seen.closed}; GET ${seen.gets.join(', ')}`
  await client.close()
  await proxy.close()
  console.log = say
  return text
}

const kinds = { sdk: { Client: ClientOf1, Transport: TransportOf1 }, client: { Client: ClientOf2, Transport: TransportOf2 } }
const watched = []
for (const [name, kind] of Object.entries(kinds)) {
  for (const status of [400, 404, 410, 200]) {
    const refused = `heard 1; closed 0; GET without 200, with id ${status}, with id ${status}`
    const stated = status === 200 ? 'heard 2; closed 0; GET without 200, with id 200' : refused
    watched.push(observeStatus(kind, status).then((seen) => [`${name}, a resume is answered ${status}`, seen, stated]))
  }
}
const rows = await Promise.all(watched)
const kept = 'heard 1 before, 1 after; closed 0; GET without 200, with id 200'
const dropped = 'heard 1 before, 0 after; closed 0; GET without 200, with id 400, with id 400'
rows.push(['mcp-proxy, lost after 10 calls', await observeMcpProxy(10), kept])
rows.push(['mcp-proxy, lost after 600 calls', await observeMcpProxy(600), dropped])
for (const [name, seen] of rows) console.log(`${name}: ${seen}`)
const changed = rows.filter(([, seen, stated]) => seen !== stated)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: after a refused event id no stream is opened any more, so that mcp-proxy loses long sessions')
process.exit(0)
JS
timeout 90 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 90 s' >&2
[ "$status" -eq 0 ] || exit 1
