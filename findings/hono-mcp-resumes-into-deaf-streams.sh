#!/usr/bin/env bash
# Finding: @hono/mcp answers a resumed GET stream with 200, and in two common cases sends nothing on it ever.
#
# Packages: @hono/mcp 0.3.2 with its MemoryEventStore, hono 4.13.19, @hono/node-server 2.1.9, hono-rate-limiter 0.5.4,
#   @modelcontextprotocol/sdk 1.32.2, zod 4.4.3.
# Expected: MCP 2025-11-25, Resumability and Redelivery 3: a server that resumes by `Last-Event-ID` replays what was missed
#   and goes on from there; one that cannot says so. What is pushed reaches the stream that is open.
# Instead: (1) the server learns late that the lost connection is gone, after the client has resumed; cleaning up, it forgets
#   the stream by its name, which is the name of the resumed one by now. (2) The store keeps 100 streams and every call is
#   one; after 100 calls the id is unknown, and the stream is opened under the name `_unknown_stream`, to which nothing is
#   ever sent. Both are answered 200 with an event stream that stays open and empty. One without `Last-Event-ID` works.
# It means: behind a proxy that closes late, or in a session of 100 calls, the first blip makes a client deaf for good: it has
#   a stream, and whenever that breaks it resumes with the same old id. An unknown id needs a stream that gets what is new.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @hono/mcp@0.3.2 hono@4.13.19 \
  @hono/node-server@2.1.9 hono-rate-limiter@0.5.4 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { MemoryEventStore, StreamableHTTPTransport } from '@hono/mcp'
import { serve } from '@hono/node-server'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { Hono } from 'hono'

console.log(`node ${process.version}`)
for (const name of ['@hono/mcp', 'hono', '@hono/node-server', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

class Stream {
  text = ''
  #abort = new AbortController()
  async open(url, headers) {
    const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, signal: this.#abort.signal })
    this.status = response.status
    this.#read(response.body.pipeThrough(new TextDecoderStream())).catch(() => {})
    return this
  }
  async #read(body) {
    for await (const part of body) this.text += part
    this.text += '(ended)'
  }
  close = () => this.#abort.abort()
  get lastId() {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1]
  }
  get heard() {
    return this.text.split('notifications/tools/list_changed').length - 1
  }
}

async function openSession() {
  const server = new McpServer({ name: 'lists', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } })
  server.registerTool('work', {}, async () => ({ content: [] }))
  const transport = new StreamableHTTPTransport({ sessionIdGenerator: randomUUID, eventStore: new MemoryEventStore() })
  await server.connect(transport)
  const app = new Hono().all('/mcp', (context) => transport.handleRequest(context))
  const http = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
  if (!http.listening) await once(http, 'listening')
  const url = `http://127.0.0.1:${http.address().port}/mcp`
  let headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  async function post(message) {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
    await response.text()
    return response.headers.get('mcp-session-id')
  }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'finding', version: '1.0.0' } }
  const id = await post({ id: 0, method: 'initialize', params })
  headers = { ...headers, 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  await post({ method: 'notifications/initialized' })
  async function listen(lastId) {
    const stream = await new Stream().open(url, { ...headers, ...(lastId && { 'last-event-id': lastId }) })
    await wait(200)
    return stream
  }
  async function push(stream) {
    const before = stream.heard
    server.sendToolListChanged()
    await wait(200)
    return `status ${stream.status}, heard ${stream.heard - before}`
  }
  const call = (number) => post({ id: number, method: 'tools/call', params: { name: 'work', arguments: {} } })
  return { listen, push, call, close: () => (http.closeAllConnections(), http.close()) }
}

const seen = []
async function see(name, expected, promise) {
  const text = await promise
  console.log(`${name}: ${text}`)
  seen.push([name, text === expected])
}
const well = 'status 200, heard 1'
const deaf = 'status 200, heard 0'
{
  console.log('(1) the old connection is closed late')
  const { listen, push, close } = await openSession()
  const lost = await listen()
  await see('first stream', well, push(lost))
  const resumed = await listen(lost.lastId)
  await see('resumed, the old one still open', well, push(resumed))
  lost.close()
  await wait(300)
  await see('resumed, the old one closed', deaf, push(resumed))
  await see('once more', deaf, push(resumed))
  close()
}
for (const calls of [10, 100]) {
  console.log(`(2) after ${calls} calls`)
  const { listen, push, call, close } = await openSession()
  const lost = await listen()
  await see('first stream', well, push(lost))
  for (let number = 1; number <= calls; number++) await call(number)
  lost.close()
  await wait(300)
  const resumed = await listen(lost.lastId)
  await see('resumed', calls < 100 ? well : deaf, push(resumed))
  resumed.close()
  await wait(300)
  const again = await listen(lost.lastId)
  await see('resumed again', calls < 100 ? well : deaf, push(again))
  again.close()
  await wait(300)
  await see('without Last-Event-ID', well, push(await listen()))
  close()
}
const changed = seen.filter(([, isStated]) => !isStated)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: streams that are resumed late, or with an id that was dropped, are open and deaf')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
