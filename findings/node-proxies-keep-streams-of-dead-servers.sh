#!/usr/bin/env bash
# Finding: five proxies for Node keep a client's event stream open after the server behind them died, so its call is never resumed.
#
# Packages: http-proxy 1.18.1, http-proxy-3 1.23.3, http-proxy-middleware 3.0.11, express-http-proxy 2.1.2, koa-proxies 0.12.4; for
#   comparison httpxy 0.5.6, fast-proxy 2.2.0, @fastify/http-proxy 11.6.3; @modelcontextprotocol/client 2.4.0 as the client.
# Expected: RFC 9112, 8: a chunked answer whose last chunk never came is incomplete. So when the server dies in the middle of an
#   answer the proxy breaks its connection to the client, as the other three do, and a client of MCP comes back with
#   `Last-Event-ID`.
# Instead: these five pipe the answer, and a pipe hands on the end of its source but not its failure. The stream to the client
#   stays open and silent for ever. The official client, which sees a cut within a second and resumes at another node or
#   the one that has restarted, waits until its own time-out; a standalone stream, which has none, is deaf from then on.
# It means: resumption that works in all tests does nothing behind such a proxy in just the case it was made for, a crash. An
#   orderly end is handed on, so a deployment that drains looks well. Comment lines do not help: who would send them is dead.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @modelcontextprotocol/client@2.4.0 \
  http-proxy@1.18.1 http-proxy-3@1.23.3 http-proxy-middleware@3.0.11 express-http-proxy@2.1.2 express@5.3.0 koa-proxies@0.12.4 \
  koa@3.0.3 httpxy@0.5.6 fast-proxy@2.2.0 @fastify/http-proxy@11.6.3 fastify@5.12.8

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import fastifyProxy from '@fastify/http-proxy'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import express from 'express'
import expressProxy from 'express-http-proxy'
import fastProxy from 'fast-proxy'
import Fastify from 'fastify'
import httpProxy from 'http-proxy'
import { createProxyServer as createProxy3 } from 'http-proxy-3'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { createProxyServer as createHttpxy } from 'httpxy'
import Koa from 'koa'
import koaProxies from 'koa-proxies'

const CALL_TIMEOUT_MS = 6_000
process.removeAllListeners('warning')
console.log(`node ${process.version}`)
const proxies = ['http-proxy', 'http-proxy-3', 'http-proxy-middleware', 'express-http-proxy', 'koa-proxies']
const others = ['httpxy', 'fast-proxy', '@fastify/http-proxy']
for (const name of [...proxies, ...others, '@modelcontextprotocol/client']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// Each tells of its errors by a handler of its own or not at all; none of them is asked to do anything about one.
function serveBy(proxy) {
  proxy.on('error', () => {})
  return createServer((request, response) => proxy.web(request, response))
}
const makers = {
  'http-proxy': (target) => serveBy(httpProxy.createProxyServer({ target })),
  'http-proxy-3': (target) => serveBy(createProxy3({ target })),
  'http-proxy-middleware': (target) => createServer(express().use(createProxyMiddleware({ target }))),
  'express-http-proxy': (target) => createServer(express().use(expressProxy(target))),
  'koa-proxies': (target) => {
    const app = new Koa()
    app.silent = true
    return createServer(app.use(koaProxies('/', { target })).callback())
  },
  httpxy: (target) => {
    const proxy = createHttpxy({ target })
    return createServer((request, response) => proxy.web(request, response).catch(() => {}))
  },
  'fast-proxy': (target) => {
    const { proxy } = fastProxy({ base: target })
    return createServer((request, response) => proxy(request, response, request.url, {}))
  },
  '@fastify/http-proxy': async (upstream) => {
    const app = Fastify().register(fastifyProxy, { upstream })
    await app.ready()
    return app.server
  },
}
async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

// Its calls begin with an event that has an id, and then `leave` ends their connection; a resume brings the answer.
function startUpstream(leave) {
  let callId
  const stream = (response, message) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`id: ${message === undefined ? 'e1' : 'e2'}\ndata: ${message === undefined ? '' : JSON.stringify(message)}\n\n`)
  }
  return createServer(async (request, response) => {
    if (request.method === 'GET') {
      if (request.headers['last-event-id'] === undefined) return response.writeHead(405).end()
      stream(response, { jsonrpc: '2.0', id: callId, result: { content: [] } })
      return response.end()
    }
    let body = ''
    for await (const part of request) body += part
    const { id, method } = JSON.parse(body)
    if (id === undefined) return response.writeHead(202).end()
    if (method === 'tools/call') {
      callId = id
      stream(response)
      await wait(300)
      return leave(response)
    }
    const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'mortal', version: '1.0.0' } }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session-1' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
}

async function call(makeProxy, leave) {
  const upstream = startUpstream(leave)
  const target = await listen(upstream)
  const proxy = makeProxy && (await makeProxy(target))
  const client = new Client({ name: 'finding', version: '1.0.0' })
  client.onerror = () => {}
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', proxy ? await listen(proxy) : target)))
  const outcome = await client.callTool({ name: 'work', arguments: {} }, { timeout: CALL_TIMEOUT_MS }).then(
    () => 'resumed and answered',
    (error) => error.message,
  )
  await client.close()
  for (const server of [proxy, upstream]) server?.closeAllConnections()
  for (const server of [proxy, upstream]) server?.close()
  return outcome
}

const die = (response) => response.socket.destroy()
const end = (response) => response.end()
const rows = []
await Promise.all(
  [undefined, ...proxies, ...others].map(async (name) => {
    const row = { name: name ?? 'no proxy', died: await call(makers[name], die), ended: await call(makers[name], end) }
    row.isStated =
      row.ended === 'resumed and answered' && row.died === (proxies.includes(name) ? 'Request timed out' : 'resumed and answered')
    rows.push(row)
  }),
)
for (const { name, died, ended } of rows) console.log(`${name}: the server died: ${died}; it ended the stream: ${ended}`)
const changed = rows.filter(({ isStated }) => !isStated)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: behind these five no call is resumed whose server died; without one, and behind the others, it is')
process.exit(0)
JS
timeout 60 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
