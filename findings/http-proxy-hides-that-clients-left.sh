#!/usr/bin/env bash
# Finding: behind http-proxy a call that is cancelled by a disconnect, as in 2026-07-28, runs on: the server is never told.
#
# Packages: http-proxy 1.18.1, http-proxy-middleware 2.0.12 (on it), koa-proxies 0.12.4 (on it); for comparison
#   http-proxy-middleware 3.0.11, http-proxy-3 1.23.3, httpxy 0.5.6; @modelcontextprotocol/server, node and client 2.4.0.
# Expected: a proxy whose client left closes its request to the server, as it has nobody to answer. In MCP 2026-07-28 over HTTP
#   that is what a cancellation is: the client closes the stream of the call, and the server stops the work.
# Instead: http-proxy waits for `aborted` of the client's request, which Node.js emits only until the request was read, long over
#   when a stream runs. The request to the server stays open and is read to its end into nothing. Versions that look at the
#   answer's `close`, as the other three do, tell the server at once.
# It means: tools run on for nobody, and each `subscriptions/listen` that a client left stays with the server and counts. Nothing
#   fails in the client, so it shows as load alone. Deadlines of tools of one's own, and limits for open streams, still hold.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact http-proxy@1.18.1 hpm2@npm:http-proxy-middleware@2.0.12 \
  koa-proxies@0.12.4 koa@3.0.3 http-proxy-middleware@3.0.11 express@5.3.0 http-proxy-3@1.23.3 httpxy@0.5.6 \
  @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/node@2.1.2 @modelcontextprotocol/client@2.4.0

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import express from 'express'
import { createProxyMiddleware as createMiddlewareOf2 } from 'hpm2'
import httpProxy from 'http-proxy'
import { createProxyServer as createProxy3 } from 'http-proxy-3'
import { createProxyMiddleware as createMiddlewareOf3 } from 'http-proxy-middleware'
import { createProxyServer as createHttpxy } from 'httpxy'
import Koa from 'koa'
import koaProxies from 'koa-proxies'

process.removeAllListeners('warning')
console.log(`node ${process.version}`)
const names = ['http-proxy', 'hpm2', 'koa-proxies', 'http-proxy-middleware', 'http-proxy-3', 'httpxy']
for (const name of [...names, ...['server', 'node', 'client'].map((name) => `@modelcontextprotocol/${name}`)]) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

function serveBy(proxy) {
  proxy.on('error', () => {})
  return createServer((request, response) => proxy.web(request, response))
}
const makers = {
  'http-proxy': (target) => serveBy(httpProxy.createProxyServer({ target })),
  'http-proxy-middleware 2': (target) => createServer(express().use(createMiddlewareOf2({ target, logLevel: 'silent' }))),
  'koa-proxies': (target) => {
    const app = new Koa()
    app.silent = true
    return createServer(app.use(koaProxies('/', { target })).callback())
  },
  'http-proxy-middleware 3': (target) => createServer(express().use(createMiddlewareOf3({ target }))),
  'http-proxy-3': (target) => serveBy(createProxy3({ target })),
  httpxy: (target) => {
    const proxy = createHttpxy({ target })
    return createServer((request, response) => proxy.web(request, response).catch(() => {}))
  },
}
async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

async function observe(makeProxy) {
  let started
  let signal
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'work', version: '1.0.0' })
    server.registerTool('work', {}, async (context) => {
      signal = context.mcpReq.signal
      started()
      await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: context.mcpReq._meta?.progressToken ?? 0, progress: 1 } })
      await Promise.race([wait(8_000, undefined, { ref: false }), once(signal, 'abort')])
      return { content: [] }
    })
    return server
  })
  const upstream = createServer(toNodeHandler(handler))
  const target = await listen(upstream)
  const proxy = makeProxy?.(target)
  const client = new Client({ name: 'finding', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  client.onerror = () => {}
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', proxy ? await listen(proxy) : target)))
  const isStarted = new Promise((resolve) => (started = resolve))
  const abort = new AbortController()
  let steps = 0
  const call = client.callTool({ name: 'work', arguments: {} }, { signal: abort.signal, onprogress: () => steps++ })
  const outcome = call.then(() => 'answered', () => 'cancelled')
  await isStarted
  while (steps === 0) await wait(20)
  abort.abort()
  const told = await outcome
  await wait(3_000)
  const seen = `${client.getNegotiatedProtocolVersion?.() ?? ''} client: ${told}, tool: ${signal.aborted ? 'aborted' : 'runs on'}`
  await client.close()
  for (const server of [proxy, upstream]) server?.closeAllConnections()
  for (const server of [proxy, upstream]) server?.close()
  return seen
}
const deaf = ['http-proxy', 'http-proxy-middleware 2', 'koa-proxies']
const rows = await Promise.all(
  [undefined, ...Object.keys(makers)].map(async (name) => ({ name: name ?? 'no proxy', seen: await observe(makers[name]) })),
)
for (const { name, seen } of rows) console.log(`${name}: ${seen}`)
const changed = rows.filter(({ name, seen }) => seen !== `2026-07-28 client: cancelled, tool: ${deaf.includes(name) ? 'runs on' : 'aborted'}`)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: behind these three a cancelled call runs on, and behind the others it is aborted')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
