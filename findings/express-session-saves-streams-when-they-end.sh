#!/usr/bin/env bash
# Finding: express-session saves what a request changed when its answer ends: of an event stream hours late over newer data, or never.
#
# Packages: express-session 1.19.0 with its MemoryStore, express 5.3.0. Any other store is called in the same way.
# Expected: the cookie of a session goes out with the headers. So what it names is in the store by then, what a handler set
#   in `request.session` is there soon, and what later requests set stays.
# Instead: the store hears of it in `response.end()`. While a stream is open that began a session, its cookie names nothing: the next
#   request with it gets another session, and another cookie. A stream that set a field writes the session as it was when
#   the stream began, once it ends: what others set meanwhile is gone. If the client leaves, `end()` is not called, and
#   nothing is written at all. With a JSON answer in place of the stream all three are as expected.
# It means: behind it a GET stream of MCP undoes a choice of tenant that was made after it was opened, at some time of its own, such
#   as a deployment; with two nodes as with one. Keep it off the routes of MCP, or only read `request.session` there.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact express-session@1.19.0 express@5.3.0

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import express from 'express'
import session from 'express-session'

console.log(`node ${process.version}`)
for (const name of ['express-session', 'express']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const store = new session.MemoryStore()
const app = express()
app.use(session({ store, secret: 'of the finding', resave: false, saveUninitialized: false }))
// Counts what it serves, and then answers by an event stream, or by JSON.
const streams = new Set()
app.get('/mcp', (request, response) => {
  request.session.opened = (request.session.opened ?? 0) + 1
  if (request.query.json !== undefined) return response.json({})
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': open\n\n')
  streams.add(response)
})
app.post('/tenant', (request, response) => {
  request.session.tenant = 'acme'
  response.json({})
})
app.get('/session', (request, response) => response.json({ id: request.sessionID, ...request.session }))
const http = app.listen(0, '127.0.0.1')
await once(http, 'listening')
const origin = `http://127.0.0.1:${http.address().port}`

async function visit(path, { cookie, method, signal } = {}) {
  const response = await fetch(origin + path, { method, signal, headers: cookie ? { cookie } : {} })
  const setCookie = response.headers.get('set-cookie')?.split(';')[0]
  return { response, cookie: setCookie ?? cookie }
}
const idOf = (cookie) => decodeURIComponent(cookie).split('=s:')[1].split('.')[0]
async function look(cookie) {
  const { response } = await visit('/session', { cookie })
  const { id, opened = 0, tenant = 'none' } = await response.json()
  return `${id === idOf(cookie) ? 'the session' : 'another session'}, opened ${opened}, tenant ${tenant}`
}
async function endStreams() {
  for (const stream of streams) stream.end()
  streams.clear()
  await wait(200)
}

async function observe(path) {
  const seen = {}
  const begun = await visit(path)
  await wait(200)
  seen['a session is begun, and its cookie used'] = await look(begun.cookie)
  await endStreams()
  seen['the same after the end'] = await look(begun.cookie)

  const { cookie } = await visit('/mcp?json')
  await visit(path, { cookie })
  await (await visit('/tenant', { cookie, method: 'POST' })).response.text()
  seen['a tenant is chosen meanwhile'] = await look(cookie)
  await endStreams()
  seen['after the end'] = await look(cookie)

  const abort = new AbortController()
  const other = await visit('/mcp?json')
  await visit(path, { cookie: other.cookie, signal: abort.signal })
  abort.abort()
  await wait(300)
  seen['the client leaves'] = await look(other.cookie)
  streams.clear()
  return seen
}
const stated = {
  '/mcp?json': ['the session, opened 1, tenant none', 'the session, opened 1, tenant none', 'the session, opened 2, tenant acme', 'the session, opened 2, tenant acme', 'the session, opened 2, tenant none'],
  '/mcp': ['another session, opened 0, tenant none', 'the session, opened 1, tenant none', 'the session, opened 1, tenant acme', 'the session, opened 2, tenant none', 'the session, opened 1, tenant none'],
}
const changed = []
for (const path of Object.keys(stated)) {
  const seen = await observe(path)
  for (const [when, what] of Object.entries(seen)) console.log(`${path === '/mcp' ? 'stream' : 'JSON'}: ${when}: ${what}`)
  if (Object.values(seen).join('; ') !== stated[path].join('; ')) changed.push(path)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: a stream saves its session when it ends, over what came meanwhile, and not when its client leaves')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
