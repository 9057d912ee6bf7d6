#!/usr/bin/env bash
# Finding: with `keyPrefix` ioredis prefixes sharded channels but not plain ones, and hands what arrives on by the longer name.
#
# Packages: ioredis 6.0.0, iovalkey 0.4.0, for comparison redis 6.3.1; a `redis-server` of 7.0 or later on the path.
# Expected: `keyPrefix` is put before keys, and channels are none: PUBLISH and SUBSCRIBE leave them alone, so that SPUBLISH and
#   SSUBSCRIBE, the same for a cluster, do too. Or, if they are prefixed, that whoever listened to "news" is told of "news".
# Instead: the sharded pair is prefixed, since for Redis a shard channel counts as a key. `smessage` tells of the channel with
#   the prefix: a handler that looks its channel up by the name it subscribed to finds none, and all is dropped without a
#   word. What another client, without the prefix, sends by SPUBLISH reaches nobody; what it sends by PUBLISH does.
# It means: who moves a bus from PUBLISH to SPUBLISH by changing the two commands loses every message on clients with a
#   prefix, and none on those without, which are what tests use. Prefix names yourself, and leave `keyPrefix` empty.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact ioredis@6.0.0 iovalkey@0.4.0 redis@6.3.1

port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })")
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --logfile redis.log &
redis=$!

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'

const port = Number(process.argv[2])
console.log(`node ${process.version}`)
for (const name of ['ioredis', 'iovalkey', 'redis']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

// A client of another library, which adds no prefix: what it hears is what is on the wire.
const plain = createClient({ socket: { host: '127.0.0.1', port } })
await plain.connect()
console.log(`redis-server ${/redis_version:(\S+)/.exec(await plain.info('server'))[1]}`)
const ear = await plain.duplicate().connect()

async function observe(Client, keyPrefix) {
  const client = new Client({ host: '127.0.0.1', port, keyPrefix })
  const listener = client.duplicate()
  const heard = []
  listener.on('message', (channel) => heard.push(`message of ${channel}`))
  listener.on('smessage', (channel) => heard.push(`smessage of ${channel}`))
  const onWire = []
  const note = (_, channel) => onWire.push(channel)
  await ear.subscribe(['news', 'app:news'], note)
  await ear.sSubscribe(['news', 'app:news'], note)
  await listener.subscribe('news')
  await listener.ssubscribe('news')
  await client.publish('news', 'hello')
  await client.spublish('news', 'hello')
  const fromPlain = [await plain.publish('news', 'hi'), await plain.sPublish('news', 'hi')]
  for (let tries = 0; tries < 40 && heard.length < 3; tries++) await wait(25)
  await wait(100)
  await ear.unsubscribe()
  await ear.sUnsubscribe()
  client.disconnect()
  listener.disconnect()
  // The ear itself is one of the receivers of what the plain client sends.
  const receivers = fromPlain.map((count) => count - 1)
  return {
    'subscribed to "news" by both, heard': heard.join(', '),
    'on the wire': onWire.slice(0, 2).join(', '),
    'a client without prefix, receivers by PUBLISH, SPUBLISH': receivers.join(', '),
  }
}

const stated = {
  '': ['message of news, smessage of news, message of news, smessage of news', 'news, news', '1, 1'],
  'app:': ['message of news, smessage of app:news, message of news', 'news, app:news', '1, 0'],
}
const changed = []
for (const [name, Client] of [['ioredis', Redis], ['iovalkey', Valkey]]) {
  for (const keyPrefix of ['', 'app:']) {
    const seen = await observe(Client, keyPrefix)
    console.log(`${name}, keyPrefix ${JSON.stringify(keyPrefix)}`)
    for (const [what, value] of Object.entries(seen)) console.log(`  ${what}: ${value}`)
    if (Object.values(seen).join('; ') !== stated[keyPrefix].join('; ')) changed.push(`${name} with "${keyPrefix}"`)
  }
}
await ear.close()
await plain.close()
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: of the channels the sharded ones alone are prefixed, and they come back by that name')
process.exit(0)
JS
timeout 30 node finding.js "$port" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
