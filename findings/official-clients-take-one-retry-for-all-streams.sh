#!/usr/bin/env bash
# Finding: the official clients take the last `retry` of any stream for all of them, and in place of their growing pauses.
#
# Packages: @modelcontextprotocol/sdk 1.32.2, @modelcontextprotocol/client 2.4.0; for comparison eventsource 4.1.1.
# Expected: WHATWG HTML, 9.2.6: `retry` sets the reconnection time of its event stream. MCP 2025-11-25: a server that closes a
#   connection of a call SHOULD send it, and the client MUST wait that long before it reconnects, to poll that call. So a job
#   of an hour may ask to be polled every 5 s, and a quick one every 0.1 s, in one session.
# Instead: a transport has one such time. Once a call was told 5 s, a standalone stream that never had a `retry` comes back 5 s
#   after a cut, not 1 s. Once one was told 0.1 s, the two tries that it has are over 0.2 s after a cut, instead of 2.5 s, and it
#   never listens again: a restart of a second, which it gets over without that, ends all that is pushed. It stays so for as
#   long as the transport lives, also when the call is long over.
# It means: the shortest `retry` a server sends on any stream is half of what a restart may take, and the longest is what each
#   lost push may be late. Send one value on all streams, and one that is above half of a restart.
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
  @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 eventsource@4.1.1

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as ClientOf2, StreamableHTTPClientTransport as TransportOf2 } from '@modelcontextprotocol/client'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportOf1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { EventSource } from 'eventsource'

process.removeAllListeners('warning')
console.log(`node ${process.version}`)
for (const name of ['@modelcontextprotocol/sdk', '@modelcontextprotocol/client', 'eventsource']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// Calls are answered on streams that begin with the `retry` they ask for. While it is away, streams are refused by 503.
async function startServer() {
  const state = { away: false, asked: [], standalone: undefined }
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      state.asked.push(performance.now())
      if (state.away) return response.writeHead(503).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': here\n\n')
      if (request.url === '/retry') response.write('retry: 2000\n\n')
      if (request.url !== '/retry') state.standalone = response
      return
    }
    let body = ''
    for await (const part of request) body += part
    const { id, method, params } = JSON.parse(body)
    if (id === undefined) return response.writeHead(202).end()
    if (method === 'tools/call') {
      const { retry } = params.arguments
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (retry !== undefined) response.write(`retry: ${retry}\nid: call-${id}\ndata:\n\n`)
      return response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`)
    }
    const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'retry', version: '1.0.0' } }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session-1' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { state, url: new URL(`http://127.0.0.1:${server.address().port}/mcp`), close: () => (server.closeAllConnections(), server.close()) }
}

// The seconds after which a standalone stream that was cut is asked for, while the server is away for `awayMs`.
async function timesOf(state, awayMs, watchedMs) {
  const start = performance.now()
  state.asked.length = 0
  state.away = awayMs > 0
  state.standalone.destroy()
  state.standalone = undefined
  await wait(awayMs)
  state.away = false
  await wait(watchedMs - awayMs)
  const times = state.asked.map((at) => ((at - start) / 1_000).toFixed(1)).join(' ')
  return `asked after ${times || 'never'}, ${state.standalone === undefined ? 'deaf' : 'listens'}`
}

async function observe(Client, Transport, { retry, awayMs, watchedMs }) {
  const { state, url, close } = await startServer()
  const client = new Client({ name: 'finding', version: '1.0.0' })
  client.onerror = () => {}
  await client.connect(new Transport(url))
  while (state.standalone === undefined) await wait(10)
  await client.callTool({ name: 'work', arguments: { retry } })
  await wait(100)
  const times = await timesOf(state, awayMs, watchedMs)
  await client.close()
  close()
  return times
}

// Two streams of one origin, of which the other one sends `retry: 2000`, which is less than its own 3 s.
async function observeEventSource(withOther) {
  const { state, url, close } = await startServer()
  const source = new EventSource(url)
  await once(source, 'open')
  const other = withOther && new EventSource(new URL('/retry', url))
  if (other) await once(other, 'open')
  await wait(100)
  const times = await timesOf(state, 0, 4_000)
  source.close()
  if (other) other.close()
  close()
  return times
}

const cases = [
  ['no retry, a cut', { awayMs: 0, watchedMs: 6_000 }, 'asked after 1.0, listens'],
  ['a call was told 5 s, a cut', { retry: 5_000, awayMs: 0, watchedMs: 6_000 }, 'asked after 5.0, listens'],
  ['no retry, away for 1.2 s', { awayMs: 1_200, watchedMs: 6_000 }, 'asked after 1.0 2.5, listens'],
  ['a call was told 0.1 s, away for 1.2 s', { retry: 100, awayMs: 1_200, watchedMs: 6_000 }, 'asked after 0.1 0.2, deaf'],
]
const officials = [
  ['sdk', ClientOf1, TransportOf1],
  ['client', ClientOf2, TransportOf2],
]
// Tenths of a second are read with some tolerance, since timers run late on a machine that is at work.
const isNear = (seen, stated) => {
  const [a, b] = [seen, stated].map((text) => text.match(/\d+\.\d/g) ?? [])
  const words = (text) => text.replace(/\d+\.\d/g, '#')
  return words(seen) === words(stated) && a.every((time, index) => Math.abs(time - b[index]) <= 0.4)
}
const rows = await Promise.all([
  ...officials.flatMap(([name, Client, Transport]) =>
    cases.map(async ([what, options, stated]) => [`${name}, ${what}`, await observe(Client, Transport, options), stated]),
  ),
  (async () => ['eventsource alone, a cut', await observeEventSource(false), 'asked after 3.0, listens'])(),
  (async () => ['eventsource, another was told 2 s, a cut', await observeEventSource(true), 'asked after 3.0, listens'])(),
])
for (const [name, seen] of rows) console.log(`${name}: ${seen}`)
const changed = rows.filter(([, seen, stated]) => !isNear(seen, stated))
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: what one call was told is the pause of the standalone stream, and the end of its patience')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
