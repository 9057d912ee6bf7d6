#!/usr/bin/env bash
# Finding: over stdio the official TypeScript clients lose progress that arrives in one chunk with the answer of its call.
#
# Packages: @modelcontextprotocol/sdk 1.32.2, @modelcontextprotocol/client 2.4.0, mcp-proxy 6.7.19 and
#   @modelcontextprotocol/server-everything 2026.8.31 to see it in the field.
# Expected: MCP 2025-11-25, Progress: notifications for a token go to whoever passed the token until the operation is
#   over; on the stream of a call they stand before its answer, and `onprogress` is called for each.
# Instead: a notification is handed on in a microtask of its own, an answer at once, and an answer takes the handler of
#   its progress away. Over stdio both are read in one turn: what came in the same chunk as the answer is gone; with a
#   pause before the answer it is there. (Over HTTP the events of a chunk are read in turns of their own.)
# It means: the last step (100 %) of a tool that answers right after it mostly does not reach `onprogress`. A proxy made
#   of such a client swallows it for everyone behind it: mcp-proxy in front of a tool of 3 steps passes on 2. A server
#   that must show the last step has to wait for a moment before its answer.
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
  @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 \
  mcp-proxy@6.7.19 @modelcontextprotocol/server-everything@2026.8.31

cat >finding.js <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Client as ClientOf2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as TransportOf2 } from '@modelcontextprotocol/client/stdio'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as TransportOf1 } from '@modelcontextprotocol/sdk/client/stdio.js'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}`)

// A server of one tool on stdio: three lines of progress and the answer, the last two in one chunk or `pauseMs` apart.
writeFileSync('server.js', `
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
const pauseMs = Number(process.argv[2])
const line = (message) => JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n'
for await (const text of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(text)
  if (method === 'initialize') {
    const serverInfo = { name: 'one', version: '1.0.0' }
    const { protocolVersion } = params
    process.stdout.write(line({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo } }))
  }
  if (method !== 'tools/call') continue
  const { progressToken } = params._meta
  const progress = (n) => line({ method: 'notifications/progress', params: { progressToken, progress: n, total: 3 } })
  const answer = line({ id, result: { content: [{ type: 'text', text: 'done' }] } })
  process.stdout.write(progress(1))
  await wait(100)
  process.stdout.write(progress(2))
  await wait(100)
  process.stdout.write(pauseMs === 0 ? progress(3) + answer : progress(3))
  await wait(pauseMs)
  if (pauseMs > 0) process.stdout.write(answer)
}
`)

async function observe({ Client, Transport }, ms) {
  const client = new Client({ name: 'finding', version: '1.0.0' })
  await client.connect(new Transport({ command: process.execPath, args: ['server.js', String(ms)] }))
  const seen = []
  const options = { onprogress: ({ progress }) => seen.push(progress) }
  // The second argument of 1.x is the schema of the result.
  const call = { name: 'work', arguments: {} }
  await (Client === ClientOf1 ? client.callTool(call, undefined, options) : client.callTool(call, options))
  await wait(100)
  await client.close()
  return seen.join(' ')
}

async function throughMcpProxy() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  const bin = 'node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs'
  const behind = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'
  const args = [bin, '--port', String(port), '--', process.execPath, behind, 'stdio']
  const proxy = spawn(process.execPath, args, { stdio: 'ignore' })
  process.on('exit', () => proxy.kill())
  const url = `http://127.0.0.1:${port}/mcp`
  for (let tries = 0; tries < 150; tries++) {
    if (await fetch(url).then(() => true, () => false)) break
    await wait(100)
  }
  let headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  const post = (message) => fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'finding', version: '1.0.0' } }
  const opened = await post({ id: 0, method: 'initialize', params })
  headers = { ...headers, 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' }
  await opened.text()
  await post({ method: 'notifications/initialized' })
  const counts = []
  for (let id = 1; id <= 5; id++) {
    const args = { duration: 0.3, steps: 3 }
    const of = { name: 'trigger-long-running-operation', arguments: args, _meta: { progressToken: `p${id}` } }
    const text = await (await post({ id, method: 'tools/call', params: of })).text()
    counts.push(text.match(/notifications\/progress/g)?.length ?? 0)
  }
  proxy.kill()
  return counts
}

const changed = []
const kinds = [
  { name: '@modelcontextprotocol/sdk', Client: ClientOf1, Transport: TransportOf1 },
  { name: '@modelcontextprotocol/client', Client: ClientOf2, Transport: TransportOf2 },
]
for (const kind of kinds) {
  const [together, apart] = [await observe(kind, 0), await observe(kind, 100)]
  console.log(`${kind.name} ${version(kind.name)}: in one chunk ${together}; answer 100 ms later ${apart}`)
  if (together !== '1 2' || apart !== '1 2 3') changed.push(kind.name)
}
const counts = await throughMcpProxy()
console.log(`mcp-proxy ${version('mcp-proxy')}: progress of five calls of 3 steps: ${counts.join(' ')}`)
if (!counts.some((count) => count < 3)) changed.push('mcp-proxy')
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: progress in one chunk with the answer never reaches onprogress, in both clients and behind mcp-proxy')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
