#!/usr/bin/env bash
# Finding: behind pglite-socket a NOTIFY is delivered to the connection that sent it, and never to the one that listens.
#
# Packages: @electric-sql/pglite-socket 0.2.17, @electric-sql/pglite 0.5.14 (its peer), pg 8.23.1, postgres 3.4.9.
# Expected: LISTEN belongs to a connection: who sent it is told of each NOTIFY of the channel, who did not is told of none.
#   The README says that several connections share the one of PGlite by a multiplexer, and that not every use works.
# Instead: LISTEN is answered as ever, and from then on each connection that sends a NOTIFY is told of its own, though it
#   never listened; the listener hears only what it sends itself. It goes on after the listener has left. A listener in
#   the process, by `db.listen()`, hears what is sent in the process and nothing of what comes by the socket. postgres.js,
#   which listens on a connection of its own, hears nothing at all. No error is told anywhere.
# It means: a bus or a session store on LISTEN and NOTIFY passes its tests on one PGlite in the process, and by the socket
#   loses every message between connections and between nodes. Whoever sees pools told of what they never listened to has
#   found the cause; what must arrive needs a look at the tables now and then.
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
  @electric-sql/pglite-socket@0.2.17 @electric-sql/pglite@0.5.14 pg@8.23.1 postgres@3.4.9

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import pg from 'pg'
import postgres from 'postgres'

console.log(`node ${process.version}`)
for (const name of ['@electric-sql/pglite-socket', '@electric-sql/pglite', 'pg', 'postgres']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const probe = createServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address()
probe.close()
await once(probe, 'close')
const db = await PGlite.create()
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port, maxConnections: 10 })
await server.start()
const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres?sslmode=disable`

let heard = []
const hear = (who) => (message) => heard.push(`${who} ${message.payload ?? message}`)
async function connect(who) {
  const client = new pg.Client(url)
  client.on('notification', hear(who))
  await client.connect()
  return client
}
async function after(send) {
  heard = []
  await send()
  await wait(500)
  return heard.join(', ') || 'nothing'
}
const notify = (client, payload) => client.query("SELECT pg_notify('sessions', $1)", [payload])

const seen = {}
await db.listen('inside', hear('process'))
seen['in the process alone'] = await after(() => db.query("SELECT pg_notify('inside', 'one')"))

const listener = await connect('listener')
const [node1, node2] = [await connect('node 1'), await connect('node 2')]
await listener.query('LISTEN sessions')
seen['pg: node 1 sends'] = await after(() => notify(node1, 'two'))
seen['pg: node 2 sends'] = await after(() => notify(node2, 'three'))
seen['pg: all query'] = await after(() => Promise.all([listener, node1, node2].map((client) => client.query('SELECT 1'))))
seen['pg: the listener sends'] = await after(() => notify(listener, 'four'))
await listener.end()
seen['pg: the listener has left, node 1 sends'] = await after(() => notify(node1, 'five'))

await db.listen('sessions', hear('process'))
seen['the process listens, node 1 sends'] = await after(() => notify(node1, 'six'))
seen['the process listens and sends'] = await after(() => db.query("SELECT pg_notify('sessions', 'seven')"))

const [one, two] = [postgres(url, { max: 1 }), postgres(url, { max: 1 })]
await one.listen('calls', hear('postgres.js'))
seen['postgres.js: another sends'] = await after(() => two.notify('calls', 'eight'))
seen['postgres.js: the same sends'] = await after(() => one.notify('calls', 'nine'))

const stated = {
  'in the process alone': 'process one',
  'pg: node 1 sends': 'node 1 two',
  'pg: node 2 sends': 'node 2 three',
  'pg: all query': 'nothing',
  'pg: the listener sends': 'listener four',
  'pg: the listener has left, node 1 sends': 'node 1 five',
  'the process listens, node 1 sends': 'node 1 six',
  'the process listens and sends': 'process seven',
  'postgres.js: another sends': 'nothing',
  'postgres.js: the same sends': 'nothing',
}
const changed = Object.keys(stated).filter((name) => seen[name] !== stated[name])
for (const [name, who] of Object.entries(seen)) console.log(`${name}: ${who}`)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join('; ')}`)
  process.exit(1)
}
console.log('AS STATED: each NOTIFY by the socket is told to its sender, and to no listener')
process.exit(0)
JS
timeout 40 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
