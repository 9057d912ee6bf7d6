#!/usr/bin/env bash
# Finding: Shinzo's instrumentation breaks tools that report progress or heed a cancellation, and hides what tools fail of.
#
# Packages: @shinzolabs/instrumentation-mcp 1.1.0, @modelcontextprotocol/sdk 1.32.2, zod 4.4.3.
# Expected: instrumentation that wraps the handler of a tool hands on what it is called with and what comes out. The SDK calls
#   a handler with the arguments and with `extra`, which has the abort signal and sends progress; of a handler that throws it
#   makes a result with `isError` and the text, so that a model can read what went wrong.
# Instead: the wrapper takes one parameter: a tool with arguments gets no `extra`, and throws as soon as it uses it. What is
#   thrown is kept in a variable of the inner block and never thrown on, so the handler returns nothing, which the SDK refuses:
#   the client gets the JSON-RPC error -32602 "Invalid tools/call result" for each tool that fails, whatever it said.
# It means: switched on in production it turns errors a model could act on into "invalid params", and tools with progress fail
#   in all calls, with nothing in the log that leads to it. Tools added by `registerTool` are not wrapped: neither hurt
#   nor measured.
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
  @shinzolabs/instrumentation-mcp@1.1.0 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import shinzo from '@shinzolabs/instrumentation-mcp'
import { z } from 'zod'

console.log(`node ${process.version}`)
for (const name of ['@shinzolabs/instrumentation-mcp', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const telemetry = { serverName: 'rows', serverVersion: '1.0.0', exporterEndpoint: 'http://127.0.0.1:9/v1', enableMetrics: false }
const text = (value) => ({ content: [{ type: 'text', text: value }] })
const shape = { row: z.number() }
async function withProgress(_, extra) {
  const params = { progressToken: extra._meta.progressToken, progress: 1 }
  await extra.sendNotification({ method: 'notifications/progress', params })
  return text(`cancelled: ${extra.signal.aborted}`)
}
function createApp(isInstrumented) {
  const app = new McpServer({ name: 'rows', version: '1.0.0' })
  if (isInstrumented) shinzo.instrumentServer(app, telemetry)
  app.tool('plain', shape, async ({ row }) => text(`row ${row}`))
  app.tool('fails', shape, async () => {
    throw new Error('there is no such row')
  })
  app.tool('progress', shape, withProgress)
  app.registerTool('registered', { inputSchema: shape }, withProgress)
  return app
}

async function observe(isInstrumented) {
  const server = createServer(async (request, response) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
    await createApp(isInstrumented).connect(transport)
    await transport.handleRequest(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new Client({ name: 'finding', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.address().port}/mcp`)))
  const seen = {}
  for (const name of ['plain', 'fails', 'progress', 'registered']) {
    let progress = 0
    const onprogress = () => { progress += 1 }
    const call = client.callTool({ name, arguments: { row: 7 } }, undefined, { onprogress, timeout: 5_000 })
    const outcome = await call.then(
      ({ content, isError }) => `${isError ? 'isError' : 'result'}: ${content[0].text}`,
      (error) => `rejected: ${error.message.split('\n')[0]}`,
    )
    seen[name] = `${outcome}; progress ${progress}`
    console.log(`  ${name}: ${seen[name]}`)
  }
  await client.close()
  server.closeAllConnections()
  server.close()
  return seen
}

console.log('as it is')
const bare = await observe(false)
console.log('instrumented')
const wrapped = await observe(true)
const invalid = /^rejected: .*-32602.*Invalid tools\/call result.*; progress 0$/
const stated =
  bare.plain === 'result: row 7; progress 0' &&
  bare.fails === 'isError: there is no such row; progress 0' &&
  bare.progress === 'result: cancelled: false; progress 1' &&
  wrapped.plain === bare.plain &&
  invalid.test(wrapped.fails) &&
  invalid.test(wrapped.progress) &&
  wrapped.registered === bare.progress
if (!stated) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: instrumented, a tool that fails or uses `extra` is answered with -32602')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
