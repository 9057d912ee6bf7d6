#!/usr/bin/env bash
# Finding: a user of Redis who may not SELECT another database works in database 0, and `ioredis` says so in an event alone.
#
# Packages: ioredis 6.0.0 and 5.11.1, iovalkey 0.4.0, for comparison redis 6.3.1; a `redis-server` of 6.0 or later on the path.
# Expected: a client that is made for database 1 (`redis://…/1`, `db: 1`) connects to that, or its commands fail.
# Instead: with a user whose rights have no `+select`, ioredis and iovalkey emit one `error` with NOPERM, are `ready` all the same,
#   and every command is done in database 0: reads find other keys, writes go among those of whoever uses that database.
#   `redis` rejects `connect()` with NOPERM.
# It means: two deployments on databases 0 and 1 of one server, kept apart by nothing else, share their sessions, counters and
#   locks as soon as somebody tightens the rights of the user. Tell deployments apart by a prefix of keys, which rights can be
#   given for (`~app:*`), and where the database is not 0 put `+select` among the rights.
set -euo pipefail

command -v redis-server >/dev/null || { echo 'redis-server is needed' >&2; exit 1; }
dir=$(mktemp -d)
redis=
cleanup() {
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
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { Redis as RedisOf5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'

const socket = { host: '127.0.0.1', port: Number(process.argv[2]) }
console.log(`node ${process.version}`)

const admin = new Redis(socket)
await once(admin, 'ready')
await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@read', '+@write', '+ping', '+info', '+hello', '+client')

const seen = []
for (const [name, Client] of [['ioredis', Redis], ['ioredis5', RedisOf5], ['iovalkey', Valkey]]) {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  const client = new Client({ ...socket, username: 'app', password: 'secret', db: 1 })
  const errors = []
  client.on('error', ({ message }) => errors.push(message.replace(/ has no permissions.*/, ' has no permissions')))
  // Not by `once`, which an `error` ends.
  await new Promise((resolve) => client.on('ready', resolve))
  const reply = await client.set(`by ${name}`, 'x')
  const database = (await admin.exists(`by ${name}`)) === 1 ? 0 : 1
  console.log(`${name} ${version}: status ${client.status}, SET: ${reply}, in database ${database}; errors: ${errors}`)
  seen.push([client.status, reply, database, errors.length, errors.every((text) => text.startsWith('NOPERM'))])
  client.disconnect()
}

const { version } = JSON.parse(readFileSync('node_modules/redis/package.json', 'utf8'))
const client = createClient({ socket: { ...socket, reconnectStrategy: false }, username: 'app', password: 'secret', database: 1 })
client.on('error', () => undefined)
const outcome = await client.connect().then(
  () => 'connected',
  ({ message }) => message.split(' ')[0],
)
console.log(`redis ${version}: connect(): ${outcome}`)
if (client.isOpen) client.destroy()
admin.disconnect()

const expected = JSON.stringify([['ready', 'OK', 0, 1, true], ['ready', 'OK', 0, 1, true], ['ready', 'OK', 0, 1, true]])
if (JSON.stringify(seen) !== expected || outcome !== 'NOPERM') {
  console.error(`It has changed: ${JSON.stringify(seen)}, ${outcome}`)
  process.exit(1)
}
JS
timeout 60 node finding.js "$port"
