#!/usr/bin/env bash
# Finding: with Traceloop's instrumentation all calls of an MCP session are one trace, and the traces of who made them have none.
#
# Packages: @traceloop/instrumentation-mcp 0.27.0, @opentelemetry/api 1.9.0, sdk-trace-base, context-async-hooks and core 2.2.0,
#   @modelcontextprotocol/sdk 1.32.2.
# Expected: a span is the child of what is active when it starts: two users' requests, each of which calls a tool by the one client
#   that an agent keeps, are two traces with a call in each, and the server is sent the id of each of the two.
# Instead: `connect()` starts a span for the session, and each call is its child, whatever is active. The users' traces end without
#   their calls. What the server is sent in `traceparent` is the session's trace too, for all users. The span of the session
#   itself is exported when the client is closed: never, where the process dies, so that the calls hang from nothing.
# It means: at a server that samples as its caller did, a session of hours is kept whole or dropped whole, and what is kept is one
#   trace of all users, which says of no call who made it. Put what tells that into `_meta`, or a client for each request.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @traceloop/instrumentation-mcp@0.27.0 @opentelemetry/api@1.9.0 \
  @opentelemetry/sdk-trace-base@2.2.0 @opentelemetry/context-async-hooks@2.2.0 @opentelemetry/core@2.2.0 \
  @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { McpInstrumentation } from '@traceloop/instrumentation-mcp'

console.log(`node ${process.version}`)
const names = ['@traceloop/instrumentation-mcp', '@modelcontextprotocol/sdk', ...['api', 'sdk-trace-base', 'context-async-hooks', 'core'].map((name) => `@opentelemetry/${name}`)]
for (const name of names) console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
trace.setGlobalTracerProvider(provider)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())
const tracer = provider.getTracer('finding')

// A server that notes the trace which each call of its tool came with.
const sentTraces = []
const server = new McpServer({ name: 'traced', version: '1.0.0' })
server.registerTool('work', {}, async ({ requestInfo }) => {
  sentTraces.push(requestInfo.headers.traceparent.split('-')[1])
  return { content: [] }
})
const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
await server.connect(transport)
const http = createServer((request, response) => transport.handleRequest(request, response)).listen(0, '127.0.0.1')
await once(http, 'listening')
const url = new URL(`http://127.0.0.1:${http.address().port}/mcp`)

// As the instrumentation of an HTTP client does: what is active goes out as `traceparent`.
function tracedFetch(input, init) {
  const carrier = {}
  propagation.inject(context.active(), carrier)
  const headers = new Headers(init?.headers)
  for (const [name, value] of Object.entries(carrier)) headers.set(name, value)
  return fetch(input, { ...init, headers })
}

async function observe(isInstrumented) {
  exporter.reset()
  sentTraces.length = 0
  const client = new Client({ name: 'agent', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: tracedFetch, ...(sessionId && { sessionId }) }))
  sessionId ??= client.transport.sessionId
  const userTraces = []
  for (const user of ['alice', 'bob']) {
    await tracer.startActiveSpan(`request of ${user}`, async (span) => {
      userTraces.push(span.spanContext().traceId)
      await client.callTool({ name: 'work', arguments: {} })
      span.end()
    })
  }
  const spans = exporter.getFinishedSpans()
  const calls = spans.filter(({ name }) => name === 'work.tool').map((span) => span.spanContext().traceId)
  const before = spans.some(({ name }) => name === 'mcp.client.session')
  await client.close()
  const after = exporter.getFinishedSpans().some(({ name }) => name === 'mcp.client.session')
  const count = (traces, whose) => `${traces.length} in ${new Set(traces).size} traces, ${traces.filter((id, index) => id === whose[index]).length} of them the user's`
  return {
    'calls sent to the server': count(sentTraces, userTraces),
    ...(isInstrumented && { 'spans of calls': count(calls, userTraces), 'span of the session': `${before ? 'there' : 'missing'} before close(), ${after ? 'there' : 'missing'} after` }),
  }
}
let sessionId
const rows = [['without', await observe(false), ["2 in 2 traces, 2 of them the user's"]]]
new McpInstrumentation({}).manuallyInstrument({ Client })
const stated = ["2 in 1 traces, 0 of them the user's", "2 in 1 traces, 0 of them the user's", 'missing before close(), there after']
rows.push(['with Traceloop', await observe(true), stated])
for (const [name, seen] of rows) console.log(`${name}: ${Object.entries(seen).map(([what, value]) => `${what}: ${value}`).join('; ')}`)
const changed = rows.filter(([, seen, expected]) => Object.values(seen).join() !== expected.join())
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: the calls of all users are one trace, that of the session, also at the server')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
