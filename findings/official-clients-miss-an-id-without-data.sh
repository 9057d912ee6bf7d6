#!/usr/bin/env bash
# Finding: an event of an id alone is no cursor to the official clients: a call that was primed with it is lost by a cut.
#
# Packages: @modelcontextprotocol/sdk 1.32.2 and @modelcontextprotocol/client 2.4.0, both on eventsource-parser 3.1.1, as is
#   eventsource 4.1.1; for comparison undici 7.30.2, which brings the EventSource of Node.js.
# Expected: WHATWG HTML, 9.2.6: at the blank line after `id: e1` the last event id becomes e1, and then, for want of data, no
#   event is fired. So `id: e1` alone moves the cursor of a stream, as a server may do before a long silence.
# Instead: eventsource-parser 3 throws the id away with the event (4.1.3 hands it on by `onId`). A call whose stream begins
#   with `id: e1` and is cut is never resumed: no GET follows and the call runs into its timeout, though its answer is there
#   to be fetched. With an empty line `data:` beside the id it is resumed and answered. A stream that is listened to is
#   resumed from the id before, by these clients and by eventsource, and what came in between is sent again.
# It means: MCP 2025-11-25 asks for "an event ID and an empty data field" to prime a stream, and the empty field is what
#   carries it. A server that leaves it out looks right in a browser and in undici, and loses each call that is cut.
set -euo pipefail

dir=$(mktemp -d)
child=
cleanup() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir"
cat >package.json <<'JSON'
{ "private": true, "type": "module", "overrides": { "eventsource-parser": "3.1.1" } }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact \
  @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 eventsource@4.1.1 undici@7.30.2

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as ClientOf2, StreamableHTTPClientTransport as TransportOf2 } from '@modelcontextprotocol/client'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportOf1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { EventSource as EventSourceOfNpm } from 'eventsource'
import { EventSource as EventSourceOfUndici } from 'undici'

process.removeAllListeners('warning')
console.log(`node ${process.version}`)
for (const name of ['@modelcontextprotocol/sdk', '@modelcontextprotocol/client', 'eventsource-parser', 'eventsource', 'undici']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

async function serve(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => (server.closeAllConnections(), server.close())
  return { url: new URL(`http://127.0.0.1:${server.address().port}/mcp`), close }
}
function stream(response, text) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(text)
}
const line = (message) => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`

// A server whose only tool is cut right after the first event of its call; what is resumed by that event brings the answer.
async function callThatIsCut(Client, Transport, priming) {
  let callId
  const resumes = []
  const { url, close } = await serve(async (request, response) => {
    if (request.method === 'GET') {
      const lastId = request.headers['last-event-id']
      if (lastId === undefined) return response.writeHead(405).end()
      resumes.push(lastId)
      stream(response, line({ id: callId, result: { content: [{ type: 'text', text: 'done' }] } }))
      return response.end()
    }
    let body = ''
    for await (const part of request) body += part
    const { id, method } = JSON.parse(body === '' ? '{}' : body)
    if (id === undefined) return response.writeHead(202).end()
    if (method === 'tools/call') {
      callId = id
      stream(response, `retry: 200\n${priming}`)
      await wait(100)
      return response.destroy()
    }
    const serverInfo = { name: 'cut', version: '1.0.0' }
    const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session-1' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  const client = new Client({ name: 'finding', version: '1.0.0' })
  client.onerror = () => {}
  await client.connect(new Transport(url))
  const [params, options] = [{ name: 'work', arguments: {} }, { timeout: 3_000 }]
  // The second argument of 1.x is the schema of the result.
  const call = Client === ClientOf1 ? client.callTool(params, undefined, options) : client.callTool(params, options)
  const outcome = await call.then(() => 'answered', (error) => error.message.replace(/^MCP error -\d+: /, ''))
  await client.close()
  close()
  return `${outcome}, resumed from ${resumes.join(' ') || 'nothing'}`
}

async function listen(EventSource) {
  const asked = []
  const { url, close } = await serve(async (request, response) => {
    asked.push(request.headers['last-event-id'] ?? 'nothing')
    stream(response, asked.length === 1 ? 'retry: 100\nid: e1\ndata: one\n\nid: e2\n\n' : ': waiting\n\n')
    if (asked.length > 1) return
    await wait(100)
    response.destroy()
  })
  const source = new EventSource(url)
  source.onerror = () => {}
  for (let tries = 0; tries < 100 && asked.length < 2; tries++) await wait(50)
  source.close()
  close()
  return `resumed from ${asked[1]}`
}

const [whole, alone] = ['id: e1\ndata:\n\n', 'id: e1\n\n']
const answered = 'answered, resumed from e1'
const lost = 'Request timed out, resumed from nothing'
const rows = [
  ['sdk, id with empty data', await callThatIsCut(ClientOf1, TransportOf1, whole), answered],
  ['sdk, id alone', await callThatIsCut(ClientOf1, TransportOf1, alone), lost],
  ['client, id with empty data', await callThatIsCut(ClientOf2, TransportOf2, whole), answered],
  ['client, id alone', await callThatIsCut(ClientOf2, TransportOf2, alone), lost],
  ['eventsource, e1 with data, then e2 alone', await listen(EventSourceOfNpm), 'resumed from e1'],
  ['undici, e1 with data, then e2 alone', await listen(EventSourceOfUndici), 'resumed from e2'],
]
for (const [name, seen] of rows) console.log(`${name}: ${seen}`)
const changed = rows.filter(([, seen, stated]) => seen !== stated)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: an id without data is no cursor to the official clients and eventsource 4, and is one to undici')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
