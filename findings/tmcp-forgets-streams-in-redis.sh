#!/usr/bin/env bash
# Finding: with its Redis store tmcp forgets open streams, so that within a minute changes of lists reach hardly any.
#
# Packages: @tmcp/session-manager-redis 0.3.0, @tmcp/transport-http 0.9.0, tmcp 1.20.0; a `redis-server` on the path.
# Expected: a GET stream is told of what is sent to all sessions for as long as it is open. The store keeps a key for each
#   open stream, which lasts 10 s in case a node dies, and is renewed while the stream is open.
# Instead: it is renewed every 10 s too, by a timer that starts with it: at each turn the key may have expired just before,
#   and EXPIRE renews no key that is gone. Nothing sets it again, so each turn loses some: of 20 idle streams, all open,
#   14 hear of a change after 12 s, 8 after 20 s, and after a minute none or one. What is sent by session reaches all.
# It means: who tries it out by hand sees it work. In production `list_changed` reaches clients that have connected in the
#   last seconds, and the others keep old lists. What says "still here" has to be set anew, well before its time is over.
set -euo pipefail

command -v redis-server >/dev/null || { echo 'redis-server is needed' >&2; exit 1; }
dir=$(mktemp -d)
child=
redis=
cleanup() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
  [ -z "$redis" ] || wait "$redis" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact \
  @tmcp/session-manager-redis@0.3.0 @tmcp/transport-http@0.9.0 tmcp@1.20.0

port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })")
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --logfile redis.log &
redis=$!

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { RedisStreamSessionManager } from '@tmcp/session-manager-redis'
import { HttpTransport } from '@tmcp/transport-http'
import { McpServer } from 'tmcp'

const port = Number(process.argv[2])
const STREAMS = 20
const EVERY_MS = 5_000
const WATCHED_MS = 60_000
console.log(`node ${process.version}`)
for (const name of ['@tmcp/session-manager-redis', '@tmcp/transport-http', 'tmcp']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}
const answers = () =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true))).on('error', () => resolve(false))
  })
for (let tries = 0; tries < 100 && !(await answers()); tries++) await wait(50)

function startNode() {
  const streams = new RedisStreamSessionManager(`redis://127.0.0.1:${port}`)
  const server = new McpServer(
    { name: 'lists', version: '1.0.0', description: 'a server of lists' },
    { capabilities: { tools: { listChanged: true } } },
  )
  return { streams, server, transport: new HttpTransport(server, { path: '/mcp', sessionManager: { streams } }) }
}
// One node holds the streams, the other has the change to tell.
const [holder, teller] = [startNode(), startNode()]
const ids = Array.from({ length: STREAMS }, (_, index) => `session-${index}`)
const heard = new Map(ids.map((id) => [id, 0]))
const closed = []
async function follow(id) {
  const headers = { accept: 'text/event-stream', 'mcp-session-id': id }
  const { body } = await holder.transport.respond(new Request('http://127.0.0.1/mcp', { headers }))
  const read = async () => {
    for await (const part of body) {
      if (new TextDecoder().decode(part).includes('notifications/')) heard.set(id, heard.get(id) + 1)
    }
    closed.push(id)
  }
  read()
}
for (const id of ids) {
  await follow(id)
  await wait(20)
}
async function reached(send) {
  const before = new Map(heard)
  await send()
  await wait(500)
  return ids.filter((id) => heard.get(id) > before.get(id)).length
}

const start = Date.now()
const counts = []
while (Date.now() - start < WATCHED_MS && counts.at(-1) !== 0) {
  counts.push(await reached(() => teller.server.changed('tools')))
  console.log(`after ${((Date.now() - start) / 1_000).toFixed(0)} s: a changed list reaches ${counts.at(-1)} of ${STREAMS} open streams`)
  await wait(EVERY_MS - 500)
}
const note = 'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
const byName = await reached(() => teller.streams.send(ids, note))
console.log(`by name: ${byName} of ${STREAMS}; streams closed: ${closed.length}`)

// Where timers come late all is lost sooner, so only the first and the last count.
const stated = counts[0] === STREAMS && counts.at(-1) < STREAMS / 2 && byName === STREAMS && closed.length === 0
if (!stated) {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: open streams hear at first of changed lists, and then no more')
process.exit(0)
JS
timeout 90 node finding.js "$port" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 90 s' >&2
[ "$status" -eq 0 ] || exit 1
