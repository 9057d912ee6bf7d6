#!/usr/bin/env bash
# Finding: the example event store of the official SDK replays nothing of a standalone stream, and of a call some events, shuffled.
#
# Package: @modelcontextprotocol/sdk 1.32.2, whose `examples/shared/inMemoryEventStore.js` is exported and the store of its own
#   example servers.
# Expected: it is kept in memory and says it is for examples: it forgets at a restart and grows for ever. What it does replay is
#   what MCP 2025-11-25 asks for, the messages of the stream after `Last-Event-ID`, in their order.
# Instead: it cuts the name of the stream out of the event id at the first `_`, and the SDK calls the standalone stream
#   `_GET_stream`: that leaves an empty name, for which nothing is replayed. The resume is answered 200 and is sent nothing new,
#   either, while the session goes on. Events are put in order by their ids, which are a time in milliseconds and then
#   chance: who resumes amid progress that was sent at a stroke gets some of it twice and some never, in an order of its own.
# It means: who copies it into a store on Redis or Postgres has a resume that works in tests with a pause between
#   events. Number the events of a stream, and keep the name of the stream beside the event, not in its id.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'

const STEPS = 20
const CALLS = 5
console.log(`node ${process.version}`)
const { version } = JSON.parse(readFileSync('node_modules/@modelcontextprotocol/sdk/package.json', 'utf8'))
console.log(`@modelcontextprotocol/sdk ${version}`)

// Its tool waits to be released, and then tells its steps, with a pause after each or at a stroke.
let release
let pauseMs = 0
const server = new McpServer({ name: 'steps', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } })
server.registerTool('work', {}, async (extra) => {
  await new Promise((resolve) => (release = resolve))
  const { progressToken } = extra._meta
  const sending = []
  for (let progress = 1; progress <= STEPS; progress++) {
    sending.push(extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } }))
    if (pauseMs > 0) await wait(pauseMs)
  }
  await Promise.all(sending)
  return { content: [] }
})
const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, eventStore: new InMemoryEventStore() })
await server.connect(transport)
const http = createServer((request, response) => transport.handleRequest(request, response)).listen(0, '127.0.0.1')
await once(http, 'listening')
const url = `http://127.0.0.1:${http.address().port}/mcp`

let headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
function open(init) {
  const abort = new AbortController()
  const stream = { text: '', close: () => abort.abort() }
  const read = async () => {
    const response = await fetch(url, { ...init, headers: { ...headers, ...init.headers }, signal: abort.signal })
    stream.status = response.status
    stream.sessionId = response.headers.get('mcp-session-id')
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) stream.text += part
  }
  stream.ended = read().catch(() => {})
  return stream
}
const post = (message) => open({ method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
const listen = (lastId) => open({ headers: lastId === undefined ? {} : { 'last-event-id': lastId } })
const lastIdOf = ({ text }) => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1]
const changesIn = ({ text }) => text.split('notifications/tools/list_changed').length - 1
const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'finding', version: '1.0.0' } }
const opened = post({ id: 0, method: 'initialize', params })
await opened.ended
headers = { ...headers, 'mcp-session-id': opened.sessionId, 'mcp-protocol-version': '2025-11-25' }
await post({ method: 'notifications/initialized' }).ended

// The standalone stream: one change is heard, two are missed, and one comes after the resume.
const first = listen()
await wait(200)
server.sendToolListChanged()
await wait(200)
first.close()
await wait(200)
server.sendToolListChanged()
server.sendToolListChanged()
await wait(100)
const resumed = listen(lastIdOf(first))
await wait(300)
const replayed = changesIn(resumed)
server.sendToolListChanged()
await wait(300)
const seenOfList = `heard ${changesIn(first)}; resumed with ${resumed.status}, replayed ${replayed} of 2, then heard ${changesIn(resumed) - replayed} of 1`
console.log(`standalone stream: ${seenOfList}`)
resumed.close()

// A call: its client has read as far as step 10 when its connection is lost, and resumes when all is said.
async function callAndResume(id) {
  const call = post({ id, method: 'tools/call', params: { name: 'work', arguments: {}, _meta: { progressToken: `t${id}` } } })
  while (release === undefined) await wait(10)
  release()
  release = undefined
  await call.ended
  const idOfStep10 = /^id: (.*)\ndata: .*"progress":10\D/m.exec(call.text)[1]
  const resumed = listen(idOfStep10)
  await wait(200)
  resumed.close()
  return [...resumed.text.matchAll(/"progress":(\d+)/g)].map(([, step]) => Number(step))
}
const missed = Array.from({ length: 10 }, (_, index) => index + 11)
async function resumeCalls(pause, firstId) {
  pauseMs = pause
  const resumes = []
  for (let id = firstId; id < firstId + CALLS; id++) {
    const steps = await callAndResume(id)
    console.log(`${STEPS} steps, ${pause} ms between them, resumed after 10: ${steps.join(' ') || 'nothing'}`)
    resumes.push(steps)
  }
  return resumes
}
const slow = await resumeCalls(5, 100)
const quick = await resumeCalls(0, 200)
const isStated =
  seenOfList === 'heard 1; resumed with 200, replayed 0 of 2, then heard 0 of 1' &&
  slow.every((steps) => steps.join() === missed.join()) &&
  quick.some((steps) => missed.some((step) => !steps.includes(step))) &&
  quick.some((steps) => steps.some((step, index) => step < steps[index - 1]))
if (!isStated) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: nothing of the standalone stream is replayed, and of steps at a stroke a part in disorder')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
