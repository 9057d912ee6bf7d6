#!/usr/bin/env bash
# Finding: what a shared connection brings is handled in the AsyncLocalStorage of the request that opened it, not of who asked for it.
#
# Packages: ioredis 6.0.0, redis 6.3.1, undici 7.30.2; for comparison the `fetch` of undici and the `http` of Node.js. A
#   `redis-server` on the path.
# Expected: a handler belongs to the code that added it, as those of promises and timers do: with a store for each request, or the
#   spans of OpenTelemetry, that bob's request set up tells of bob, or of nobody, since it comes from outside.
# Instead: of two requests of which alice's connected the client and bob's subscribed, bob's listener is called as alice: it has her
#   user, her trace and her log fields, also after the connection was lost and made anew, for as long as the process lives.
#   undici does the same with the `data` events of a kept connection: of bob's body the first part is heard as bob, later ones
#   as alice. `for await` and `fetch` go on as bob, and so do the `data` events of `http` with an agent.
# It means: where a node connects at its first request, pushes of all sessions are logged and traced as that one, in one trace that
#   never ends. Connect the client and add handlers before the first request, or wrap them by `AsyncLocalStorage.bind()`.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact ioredis@6.0.0 redis@6.3.1 undici@7.30.2

port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })")
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --logfile redis.log &
redis=$!

cat >finding.js <<'JS'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, get, Agent as HttpAgent } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { Agent, fetch, request } from 'undici'

const socket = { host: '127.0.0.1', port: Number(process.argv[2]) }
console.log(`node ${process.version}`)
for (const name of ['ioredis', 'redis', 'undici']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}
const teller = await createClient({ socket }).connect()
console.log(`redis-server ${/redis_version:(\S+)/.exec(await teller.info('server'))[1]}`)

const user = new AsyncLocalStorage()
const heardAs = []
const note = () => heardAs.push(user.getStore() ?? 'nobody')

// The teller is of no request. It tells once, breaks the connections that listen, and tells again.
async function tellTwice() {
  heardAs.length = 0
  await teller.publish('session-bob', 'hello')
  await wait(200)
  await teller.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await wait(1_000)
  await teller.publish('session-bob', 'hello again')
  await wait(200)
  return heardAs.join(', ')
}
async function observeIoredis(wrap) {
  const client = new Redis({ ...socket, lazyConnect: true })
  client.on('error', () => {})
  await user.run('alice', () => client.subscribe('session-alice'))
  await user.run('bob', () => client.on('message', wrap(note)).subscribe('session-bob'))
  const heard = await tellTwice()
  client.disconnect()
  return heard
}
async function observeNodeRedis(wrap) {
  const client = createClient({ socket }).on('error', () => {})
  await user.run('alice', async () => (await client.connect()).subscribe('session-alice', () => {}))
  await user.run('bob', () => client.subscribe('session-bob', wrap(note)))
  const heard = await tellTwice()
  client.destroy()
  return heard
}

// An event stream of three parts, and then the connection is kept for the next request.
const server = createServer(async (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const part of [1, 2, 3]) {
    response.write(`data: ${part}\n\n`)
    await wait(100)
  }
  response.end()
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`
// What bob hears of his own body, after alice's on the same connection.
async function observeBody(read) {
  for (const who of ['alice', 'bob']) {
    heardAs.length = 0
    await user.run(who, read)
    await wait(50)
  }
  return heardAs.join(', ')
}
const dispatcher = new Agent({ connections: 1 })
const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 })
const readers = {
  async undiciEvents() {
    const { body } = await request(url, { dispatcher })
    body.on('data', note)
    await once(body, 'end')
  },
  async undiciIterator() {
    const { body } = await request(url, { dispatcher })
    for await (const _part of body) note()
  },
  async undiciFetch() {
    const { body } = await fetch(url, { dispatcher })
    for await (const _part of body) note()
  },
  async httpEvents() {
    const [response] = await once(get(url, { agent }), 'response')
    response.on('data', note)
    await once(response, 'end')
  },
}

const bare = (handler) => handler
const bound = (handler) => AsyncLocalStorage.bind(handler)
const rows = [
  ['ioredis, a message and one after a reconnect', await observeIoredis(bare), 'alice, alice'],
  ['ioredis, with bind()', await observeIoredis(bound), 'bob, bob'],
  ['redis, a message and one after a reconnect', await observeNodeRedis(bare), 'alice, alice'],
  ['redis, with bind()', await observeNodeRedis(bound), 'bob, bob'],
  ['undici request(), data events', await observeBody(readers.undiciEvents), 'bob, alice, alice'],
  ['undici request(), for await', await observeBody(readers.undiciIterator), 'bob, bob, bob'],
  ['undici fetch(), for await', await observeBody(readers.undiciFetch), 'bob, bob, bob'],
  ['http.get() with an agent, data events', await observeBody(readers.httpEvents), 'bob, bob, bob'],
]
for (const [name, seen] of rows) console.log(`bob's handler, ${name}: called as ${seen}`)
const changed = rows.filter(([, seen, stated]) => seen !== stated)
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.map(([name]) => name).join('; ')}`)
  process.exit(1)
}
console.log("AS STATED: bob's handlers are called as alice, who connected")
process.exit(0)
JS
timeout 40 node finding.js "$port" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
