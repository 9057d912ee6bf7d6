#!/usr/bin/env bash
# Finding: with a header from `beforeToolCall` LangChain's MCP adapters open a session for each call of a tool, and close none.
#
# Packages: @langchain/mcp-adapters 1.1.4 with @langchain/core 1.4.0 and @langchain/langgraph 1.7.3 (its peers),
#   @modelcontextprotocol/sdk 1.32.2.
# Expected: the README says that `beforeToolCall` may add headers to a call over HTTP; its example is an id for each. They go with
#   the request of that call, beside the `headers` of the connection, in the session that is there.
# Instead: each such call makes a client of its own, also if the headers are those of the last call: `initialize`, a GET stream, the
#   call. It is kept in a list until `close()` of the whole client, with its session and its open stream. Its headers are
#   those of `beforeToolCall` alone: an `authorization` of the connection is missing in all of its requests.
# It means: a server with sessions sees as many sessions and open streams as there are calls, held open by an agent that never
#   comes back to them, so that no idle time ends them; what a session remembers is empty in each call. Give sessions a limit
#   for each user, put all headers in the hook, and for trace ids use `_meta`.
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
  @langchain/mcp-adapters@1.1.4 @langchain/core@1.4.0 @langchain/langgraph@1.7.3 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'

const CALLS = 5
console.log(`node ${process.version}`)
for (const name of ['@langchain/mcp-adapters', '@langchain/core', '@langchain/langgraph', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// A server with sessions, whose tool counts how often it was called in its session.
const sessions = new Map()
let openStreams = 0
let callsWithout = 0
async function openSession() {
  const server = new McpServer({ name: 'counter', version: '1.0.0' })
  let calls = 0
  server.registerTool('count', {}, async () => ({ content: [{ type: 'text', text: String(++calls) }] }))
  const onsessioninitialized = (id) => sessions.set(id, transport)
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized })
  transport.onclose = () => sessions.delete(transport.sessionId)
  await server.connect(transport)
  return transport
}
const http = createServer(async (request, response) => {
  const id = request.headers['mcp-session-id']
  if (request.headers.authorization === undefined) callsWithout++
  if (request.method === 'GET') {
    openStreams++
    response.on('close', () => openStreams--)
  }
  const transport = id === undefined ? await openSession() : sessions.get(id)
  if (transport === undefined) return response.writeHead(404).end()
  await transport.handleRequest(request, response)
}).listen(0, '127.0.0.1')
await once(http, 'listening')
const url = `http://127.0.0.1:${http.address().port}/mcp`

async function observe(beforeToolCall) {
  callsWithout = 0
  const client = new MultiServerMCPClient({
    mcpServers: { counter: { transport: 'http', url, headers: { authorization: 'Bearer of-the-agent' } } },
    ...(beforeToolCall && { beforeToolCall }),
  })
  const [tool] = await client.getTools()
  const counted = []
  for (let call = 0; call < CALLS; call++) counted.push(await tool.invoke({}))
  await wait(500)
  const seen = {
    counted: counted.join(' '),
    'sessions open': sessions.size,
    'GET streams open': openStreams,
    'requests without authorization': callsWithout > 0 ? 'some' : 'none',
  }
  await client.close()
  await wait(200)
  seen['after close(): streams'] = openStreams
  for (const transport of [...sessions.values()]) await transport.close()
  return seen
}
const rows = [
  ['no header', undefined, ['1 2 3 4 5', 1, 1, 'none', 0]],
  ['the same header for each call', () => ({ headers: { 'x-tenant': 'acme' } }), ['1 1 1 1 1', CALLS + 1, CALLS + 1, 'some', 0]],
]
const changed = []
for (const [name, hook, stated] of rows) {
  const seen = await observe(hook)
  console.log(`${name}, ${CALLS} calls: ${Object.entries(seen).map(([what, value]) => `${what} ${value}`).join('; ')}`)
  if (Object.values(seen).join() !== stated.join()) changed.push(name)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: a session and a stream for each call with a header, kept until all is closed')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
