#!/usr/bin/env bash
# Finding: serverless-http answers a Fastify event stream with an empty body.
#
# Packages: serverless-http 4.0.0, fastify 5.12.8, express 5.3.0, koa 3.0.3.
# Expected: serverless-http buffers an answer and hands it over whole; its README lists Express and Koa as supported
#   and Fastify as experimental. MCP 2025-11-25 (Transports, Sending Messages to the Server, 5) lets a server
#   answer a POST with `text/event-stream`, so a finished stream should arrive as text, whatever the framework.
# Instead: a Fastify app is reached through `app.inject()`, whose body is already free of chunked framing, while the
#   header `transfer-encoding: chunked` is still there. serverless-http removes the framing a second time, and
#   nothing is left: status 200, right content type, empty body. JSON works, for it has a content-length.
# It means: an MCP server on Fastify behind it looks healthy and loses every streamed answer. Handing over
#   `app.server` after `await app.ready()` brings the whole body.
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
  serverless-http@4.0.0 fastify@5.12.8 express@5.3.0 koa@3.0.3

cat >finding.js <<'JS'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import serverless from 'serverless-http'

const require = createRequire(import.meta.url)
const packages = ['serverless-http', 'fastify', 'express', 'koa']
console.log(`node ${process.version}`)
for (const name of packages) console.log(`${name} ${require(`./node_modules/${name}/package.json`).version}`)

const TYPE = 'text/event-stream'
const TEXT = 'id: 1\ndata: {"step":1}\n\nid: 2\ndata: {"step":2}\n\n'
const events = () => Readable.from(TEXT.split(/(?<=\n\n)/))
function writeRaw(response) {
  response.writeHead(200, { 'content-type': TYPE })
  for (const event of TEXT.split(/(?<=\n\n)/)) response.write(event)
  response.end()
}

function fastifyApp() {
  const app = fastify()
  app.get('/json', async () => ({ ok: true }))
  app.get('/send', (_, reply) => reply.type(TYPE).send(events()))
  app.get('/hijack', (_, reply) => {
    reply.hijack()
    writeRaw(reply.raw)
  })
  return app
}
const expressApp = express().get('/send', (_, response) => void events().pipe(response.type(TYPE)))
const koaApp = new Koa().use((context) => {
  context.type = TYPE
  context.body = events()
})
const behind = fastifyApp()
await behind.ready()

const http = { method: 'GET', sourceIp: '127.0.0.1' }
async function get(app, path) {
  const event = { version: '2.0', rawPath: path, rawQueryString: '', headers: { accept: TYPE }, requestContext: { http: { ...http, path } } }
  const { statusCode, headers, body } = await serverless(app)(event, {})
  return { statusCode, type: headers['content-type'], body }
}

const rows = [
  ['fastify, JSON', fastifyApp(), '/json', '{"ok":true}'],
  ['fastify, reply.send(stream)', fastifyApp(), '/send', ''],
  ['fastify, hijack and raw writes', fastifyApp(), '/hijack', ''],
  ['fastify, same app as app.server', behind.server, '/send', TEXT],
  ['node:http listener', (_, response) => writeRaw(response), '/raw', TEXT],
  ['express', expressApp, '/send', TEXT],
  ['koa', koaApp, '/send', TEXT],
]
let changed = 0
for (const [name, app, path, stated] of rows) {
  const answer = await get(app, path)
  console.log(`${name}: ${answer.statusCode} ${answer.type} ${JSON.stringify(answer.body)}`)
  if (answer.statusCode === 200 && answer.body === stated) continue
  changed++
  console.error(`  not as stated: expected 200 with ${JSON.stringify(stated)}`)
}
const direct = await fastifyApp().inject('/send')
console.log(`fastify without serverless-http: ${direct.statusCode} ${JSON.stringify(direct.body)}`)
if (direct.body !== TEXT) changed++

if (changed > 0) {
  console.error(`CHANGED: ${changed} of ${rows.length + 1} answers are not as this finding states`)
  process.exit(1)
}
console.log('AS STATED: Fastify event streams come back empty through serverless-http, all else whole')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
