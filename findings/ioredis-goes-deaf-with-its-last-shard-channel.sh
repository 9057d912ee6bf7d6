#!/usr/bin/env bash
# Finding: whoever leaves the last sharded channel of an ioredis connection hears nothing more of its plain channels and patterns.
#
# Packages: ioredis 6.0.0 and 5.11.1, iovalkey 0.4.0, for comparison redis 6.3.1; a `redis-server` of 7.0 or later on the path.
# Expected: SUNSUBSCRIBE ends what SSUBSCRIBE began. Channels by SUBSCRIBE and patterns by PSUBSCRIBE of the same connection go on,
#   as channels do when the last pattern is left, and the other way round.
# Instead: the answer to (P)UNSUBSCRIBE counts channels and patterns together, the one to SUNSUBSCRIBE sharded channels alone.
#   The client takes a 0 in either for the end of all subscriptions. Redis goes on sending; ioredis 6 drops it without a word,
#   ioredis 5 and iovalkey call `error` with "Command queue state error". After a broken connection nothing is subscribed again.
#   Another SSUBSCRIBE brings the plain ones back, while it lasts.
# It means: a node with a plain channel for itself and a sharded one for each session that it serves loses its own channel
#   when the last session ends: at night, not in a test with a session open. Give sharded channels a connection of their own,
#   and have a node send itself something now and then.
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
  ioredis@6.0.0 ioredis5@npm:ioredis@5.11.1 iovalkey@0.4.0 redis@6.3.1

port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })")
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --logfile redis.log &
redis=$!

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Redis as RedisOf5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'

const socket = { host: '127.0.0.1', port: Number(process.argv[2]) }
console.log(`node ${process.version}`)
for (const name of ['ioredis', 'ioredis5', 'iovalkey', 'redis']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const teller = await createClient({ socket }).connect()
console.log(`redis-server ${/redis_version:(\S+)/.exec(await teller.info('server'))[1]}`)

async function openAs(Client) {
  const client = new Client(socket)
  const heard = new Set()
  client.on('error', (error) => heard.add(error.message.replace(/\. .*/s, '')))
  client.on('message', () => heard.add('channel'))
  client.on('pmessage', () => heard.add('pattern'))
  client.on('smessage', () => heard.add('sharded'))
  const end = () => client.disconnect()
  return { heard, end, subscribe: (way) => client[`${way}subscribe`](names[way]), leave: (way) => client[`${way}unsubscribe`](names[way]) }
}
async function openNodeRedis() {
  const client = await createClient({ socket })
    .on('error', () => {})
    .connect()
  const heard = new Set()
  const kinds = { '': 'channel', p: 'pattern', s: 'sharded' }
  const method = (way, name) => (way === '' ? name : `${way}${name[0].toUpperCase()}${name.slice(1)}`)
  const subscribe = (way) => client[method(way, 'subscribe')](names[way], () => heard.add(kinds[way]))
  return { heard, end: () => client.destroy(), subscribe, leave: (way) => client[method(way, 'unsubscribe')](names[way]) }
}
const names = { '': 'node-1', p: 'list-*', s: 'session-1' }

// What a connection hears of one message for each way to subscribe, and how many connections Redis says it sent them to.
async function told({ heard }) {
  heard.clear()
  const sentTo = [await teller.publish('node-1', 'hello'), await teller.publish('list-1', 'hello'), await teller.sPublish('session-1', 'hello')]
  await wait(200)
  return `sent to ${sentTo.join(' ')}: ${[...heard].join(', ') || 'nothing'}`
}
async function observe(open) {
  const seen = {}
  const connection = await open()
  for (const way of ['', 'p', 's']) await connection.subscribe(way)
  seen['subscribed to all'] = await told(connection)
  await connection.leave('p')
  seen['left the pattern'] = await told(connection)
  await connection.subscribe('p')
  await connection.leave('s')
  seen['left the sharded channel'] = await told(connection)
  await connection.subscribe('s')
  seen['came back to it'] = await told(connection)
  await connection.leave('s')
  await teller.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
  await wait(800)
  seen['connected again'] = await told(connection)
  connection.end()
  await wait(50)
  return seen
}

const well = {
  'subscribed to all': 'sent to 1 1 1: channel, pattern, sharded',
  'left the pattern': 'sent to 1 0 1: channel, sharded',
  'left the sharded channel': 'sent to 1 1 0: channel, pattern',
  'came back to it': 'sent to 1 1 1: channel, pattern, sharded',
  'connected again': 'sent to 1 1 0: channel, pattern',
}
const deaf = (heard) => ({ ...well, 'left the sharded channel': `sent to 1 1 0: ${heard}`, 'connected again': 'sent to 0 0 0: nothing' })
const rows = [
  ['ioredis 6', () => openAs(Redis), deaf('nothing')],
  ['ioredis 5', () => openAs(RedisOf5), deaf('Command queue state error')],
  ['iovalkey', () => openAs(Valkey), deaf('Command queue state error')],
  ['redis', openNodeRedis, well],
]
const changed = []
for (const [name, open, stated] of rows) {
  const seen = await observe(open)
  for (const [when, what] of Object.entries(seen)) console.log(`${name}, ${when}: ${what}`)
  if (JSON.stringify(seen) !== JSON.stringify(stated)) changed.push(name)
}
teller.destroy()
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: with its last sharded channel ioredis loses all others, and does not subscribe to them again')
process.exit(0)
JS
timeout 40 node finding.js "$port" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 40 s' >&2
[ "$status" -eq 0 ] || exit 1
