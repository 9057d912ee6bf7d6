#!/usr/bin/env bash
# Finding: after one cancelled call whose stream was lost, supergateway sends everything of its session into that lost stream.
#
# Packages: supergateway 4.0.0 in front of @modelcontextprotocol/server-everything 2026.8.31, @modelcontextprotocol/sdk
#   1.32.2 as the client.
# Expected: MCP 2025-11-25, Sending Messages 6: what a server sends on the stream of a call should relate to that call; and
#   Cancellation: a receiver should not answer a cancelled request. So a cancelled call is over, and the next one is whole.
# Instead: with `--stateful`, each message of the stdio server that is no answer goes to the oldest request that was not
#   answered yet. A cancelled one never is. Once its stream is gone (a cut connection, then the client's timeout), progress
#   of all later calls, and questions to the user, go there: no progress arrives, elicitation waits for an answer that
#   nobody was asked for. Answers arrive, no error is told, and a new session is well again.
# It means: one network blip during one call makes the whole session deaf, for as long as it lives. A gateway needs an
#   end for requests that were cancelled; a tool that asks the user needs a timeout of its own.
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
  supergateway@4.0.0 @modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/sdk@1.32.2

cat >finding.js <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}`)
for (const name of ['supergateway', '@modelcontextprotocol/server-everything', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${version(name)}`)
}

const probe = createServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
await once(probe, 'close')
const behind = `"${process.execPath}" node_modules/@modelcontextprotocol/server-everything/dist/index.js stdio`
const args = ['--stdio', behind, '--outputTransport', 'streamableHttp', '--stateful', '--port', String(port)]
const bin = ['node_modules/supergateway/dist/index.js', ...args, '--logLevel', 'none']
const gateway = spawn(process.execPath, bin, { stdio: ['pipe', 'ignore', 'ignore'] })
process.on('exit', () => gateway.kill())
process.on('SIGTERM', () => process.exit(1))
const url = new URL(`http://127.0.0.1:${port}/mcp`)
for (let tries = 0; tries < 150; tries++) {
  if (await fetch(url).then(() => true, () => false)) break
  await wait(100)
}

// The official client, and a network that can lose the connection of the call which is under way.
async function connect() {
  let connection
  async function fetchOverNetwork(input, init) {
    const isCall = init?.method === 'POST' && String(init.body).includes('"tools/call"')
    if (!isCall) return fetch(input, init)
    connection = new AbortController()
    return fetch(input, { ...init, signal: AbortSignal.any([connection.signal, ...(init.signal ? [init.signal] : [])]) })
  }
  const client = new Client({ name: 'finding', version: '1.0.0' }, { capabilities: { elicitation: {} } })
  client.onerror = () => {}
  let asked = 0
  client.setRequestHandler(ElicitRequestSchema, () => {
    asked += 1
    return { action: 'decline' }
  })
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: fetchOverNetwork }))
  // The server registers what depends on the client only after it has been initialized.
  await wait(1_000)
  const outcome = (promise) => promise.then(() => 'answered', (error) => error.message)
  async function work(duration, timeout) {
    let progress = 0
    const params = { name: 'trigger-long-running-operation', arguments: { duration, steps: 3 } }
    const options = { onprogress: () => { progress += 1 }, timeout }
    const end = await outcome(client.callTool(params, undefined, options))
    return `${end}, ${progress} of 3 steps`
  }
  async function ask() {
    const before = asked
    const params = { name: 'trigger-elicitation-request', arguments: {} }
    const end = await outcome(client.callTool(params, undefined, { timeout: 3_000 }))
    return `${end}, asked ${asked - before} times`
  }
  return { client, work, ask, cut: () => connection.abort() }
}

const { client, work, ask, cut } = await connect()
const seen = {}
seen['before, work'] = await work(1.5, 10_000)
seen['before, ask'] = await ask()
setTimeout(cut, 300)
seen['connection lost after 0.3 s, timeout after 1 s'] = await work(3, 1_000)
// The tool does not heed the cancellation: its steps are over by then.
await wait(4_000)
seen['after, work'] = await work(1.5, 10_000)
seen['after, work again'] = await work(1.5, 10_000)
seen['after, ask'] = await ask()
await client.close()
const other = await connect()
seen['new session, ask'] = await other.ask()
for (const [name, text] of Object.entries(seen)) console.log(`${name}: ${text}`)

const few = /^answered, [23] of 3 steps$/
const stated =
  few.test(seen['before, work']) &&
  seen['before, ask'] === 'answered, asked 1 times' &&
  seen['after, work'] === 'answered, 0 of 3 steps' &&
  seen['after, work again'] === 'answered, 0 of 3 steps' &&
  /timed out, asked 0 times$/.test(seen['after, ask']) &&
  seen['new session, ask'] === 'answered, asked 1 times'
if (!stated) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: after one lost and cancelled call no progress and no question reaches the client of the session')
process.exit(0)
JS
timeout 60 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
