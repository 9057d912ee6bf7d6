#!/usr/bin/env bash
# Finding: a call that is resumed at server-everything gets messages of other streams, and never its answer.
#
# Package: @modelcontextprotocol/server-everything 2026.8.31, the reference server "that exercises all the features".
# Expected: MCP 2025-11-25, Transports, Resumability and Redelivery: a resume by GET with `Last-Event-ID` replays what
#   would have been sent on the stream that was disconnected and goes on from there; the server MUST NOT replay
#   messages that would have been delivered on a different stream.
# Instead: the GET is answered 200 and replays every later event of the session: the answer to another call, and each
#   priming event as a message `{}`, which is no JSON-RPC. Then it falls silent: the rest of the call's progress and its
#   answer never come, though the call runs to its end. Its store filters by no stream, and returns the last event's id
#   where the SDK asks for the id of the stream, so that what follows has nowhere to go.
# It means: who tests a client's resumption against this server sees a client that hangs, and may copy the store.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @modelcontextprotocol/server-everything@2026.8.31

cat >finding.js <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const name = '@modelcontextprotocol/server-everything'
console.log(`node ${process.version}`)
console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)

const probe = createServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
await once(probe, 'close')
const env = { PATH: process.env.PATH, PORT: String(port) }
const server = spawn(process.execPath, [`node_modules/${name}/dist/index.js`, 'streamableHttp'], { env, stdio: 'ignore' })
process.on('exit', () => server.kill())
const url = `http://127.0.0.1:${port}/mcp`
for (let tries = 0; tries < 100; tries++) {
  if (await fetch(url).then(() => true, () => false)) break
  await wait(100)
}

let session = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
const post = (message, signal) =>
  fetch(url, { method: 'POST', headers: session, body: JSON.stringify({ jsonrpc: '2.0', ...message }), signal })
const call = (id, duration, signal) => {
  const args = { duration, steps: 4 }
  const params = { name: 'trigger-long-running-operation', arguments: args, _meta: { progressToken: id } }
  return post({ id, method: 'tools/call', params }, signal)
}
/** Reads events until `enough`, or for as long as `ms`. */
async function read(response, { enough = () => false, ms }) {
  const events = []
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const end = wait(ms, { done: true })
  let rest = ''
  for (;;) {
    const { done, value } = await Promise.race([reader.read(), end])
    if (done) break
    const blocks = `${rest}${value}`.split('\n\n')
    rest = blocks.pop()
    for (const block of blocks) {
      const field = (key) => block.split('\n').find((line) => line.startsWith(`${key}:`))?.slice(key.length + 1).trim()
      events.push({ id: field('id'), data: field('data') })
    }
    if (enough(events)) break
  }
  return events
}

const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'finding', version: '1.0.0' } }
const opened = await post({ id: 0, method: 'initialize', params })
session = { ...session, 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' }
await opened.text()
await post({ method: 'notifications/initialized' })

// The same call on a connection that holds, for comparison.
const whole = await read(await call('held', 1, undefined), { ms: 5_000 })
const answered = whole.some(({ data }) => data?.includes('"result"'))
console.log(`connection held: ${whole.length} events, answered: ${answered}`)

const abort = new AbortController()
const lost = await read(await call('lost', 2, abort.signal), { enough: (events) => events.length >= 2, ms: 5_000 })
abort.abort()
await (await post({ id: 'other', method: 'ping' })).text()
const headers = { ...session, accept: 'text/event-stream', 'last-event-id': lost.at(-1).id }
const resumed = await fetch(url, { headers })
const replayed = await read(resumed, { ms: 6_000 })
for (const { data } of replayed) console.log(`  after the resume (${resumed.status}): ${data.slice(0, 100)}`)
const foreign = replayed.some(({ data }) => data.includes('"id":"other"'))
const empty = replayed.some(({ data }) => data === '{}')
const gotAnswer = replayed.some(({ data }) => data.includes('"id":"lost"'))
console.log(`resumed: answer of another call: ${foreign}; a message {}: ${empty}; the answer within 6 s: ${gotAnswer}`)

if (!answered || resumed.status !== 200 || !foreign || !empty || gotAnswer) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log("AS STATED: the resume brings another call's answer and {}, and never the answer of its own call")
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
