#!/usr/bin/env bash
# Finding: when the process that produces a stream dies, resumable-stream takes it for one in progress for a day.
#
# Packages: resumable-stream 2.2.13 with ioredis 6.0.0; a `redis-server` on the path.
# Expected: the library resumes streams "in distributed systems", over Redis. `resumableStream(id, makeStream)`, the idempotent
#   way of its README, makes the stream if it is not in progress yet. One whose producer was killed makes no progress, so that
#   after seconds, as by the expiry of a lock, the next request with this id makes it anew, or is told that it is gone.
# Instead: what was produced is kept in the memory of the producer, and Redis has a mark alone, which lasts 24 hours and which
#   nobody renews. Until then each call waits a second and is rejected with "Timeout waiting for ack"; `makeStream` is not
#   called, and `hasExistingStream` says that the stream exists. Whoever followed the stream keeps it open, and hears neither a
#   part nor an end: what watches over followers looks at the same mark.
# It means: after a deployment or crash in the middle of an answer its id fails for a day, and a client that repeats its request
#   by the id never gets through. What says "in progress" has to be short, and renewed by whoever is at work; what clients are
#   to come back for has to be in the store.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact resumable-stream@2.2.13 ioredis@6.0.0

port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })")
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --logfile redis.log &
redis=$!

cat >producer.js <<'JS'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createResumableStreamContext } from 'resumable-stream/ioredis'

// Three parts at once, and the end when the process is told so.
const [url, how] = process.argv.slice(2)
const streams = createResumableStreamContext({ waitUntil() {}, publisher: new Redis(url), subscriber: new Redis(url) })
const ended = new Promise((resolve) => process.on('message', resolve))
const makeStream = () =>
  new ReadableStream({
    async start(controller) {
      for (const part of ['one ', 'two ', 'three']) controller.enqueue(part)
      await ended
      controller.close()
    },
  })
const stream = await streams[how](`by ${how}`, makeStream)
const reader = stream.getReader()
for (let parts = 0; parts < 3; parts++) await reader.read()
process.send('begun')
await reader.read()
await wait(300)
process.exit(0)
JS
cat >finding.js <<'JS'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createResumableStreamContext } from 'resumable-stream/ioredis'

const url = `redis://127.0.0.1:${process.argv[2]}`
console.log(`node ${process.version}`)
for (const name of ['resumable-stream', 'ioredis']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}
const redis = new Redis(url)
// Followers look every 200 ms whether their producer is done, in place of every 10 s.
const options = { waitUntil() {}, doneWatchdogIntervalMs: 200 }
const streams = createResumableStreamContext({ ...options, publisher: redis, subscriber: new Redis(url) })

// So that producers end with it.
process.on('SIGTERM', () => process.exit(1))
async function begin(how) {
  const producer = fork('producer.js', [url, how])
  process.on('exit', () => producer.kill('SIGKILL'))
  await once(producer, 'message')
  return producer
}
// What the next request with this id gets, in the words of its outcome.
async function ask(id, how) {
  let made = false
  const makeStream = () => {
    made = true
    return new ReadableStream({ start: (controller) => controller.close() })
  }
  const outcome = await Promise.race([
    streams[how](id, ...(how === 'resumableStream' ? [makeStream] : [])).then(
      (stream) => (stream ? 'a stream' : String(stream)),
      (error) => error.message,
    ),
    wait(4_000, 'nothing'),
  ])
  return { outcome, made }
}

const changed = []
const check = (what, isAsStated) => isAsStated || changed.push(what)

// Alive, the producer hands on all that was, and the mark gets its end.
const alive = await begin('resumableStream')
const follower = (await streams.resumableStream('by resumableStream', () => {})).getReader()
const first = (await follower.read()).value
console.log(`  producer alive: a second request gets ${JSON.stringify(first)}`)
check('a stream whose producer lives', first === 'one two three')
alive.send('end')
await once(alive, 'exit')
console.log(`  producer done: the mark expires in ${await redis.ttl('resumable-stream:rs:sentinel:by resumableStream')} s`)
await redis.flushall()

const nexts = { resumableStream: 'resumableStream', createNewResumableStream: 'resumeExistingStream' }
for (const [how, next] of Object.entries(nexts)) {
  const producer = await begin(how)
  const id = `by ${how}`
  const follower = (await streams[next](id, ...(next === how ? [() => {}] : []))).getReader()
  await follower.read()
  producer.kill('SIGKILL')
  await once(producer, 'exit')
  let fate = 'open'
  follower.read().then(
    ({ done }) => (fate = done ? 'ended' : 'goes on'),
    () => (fate = 'broken'),
  )
  const asked = [await ask(id, next), await ask(id, next), await ask(id, next)]
  const seconds = await redis.ttl(`resumable-stream:rs:sentinel:${id}`)
  const exists = await streams.hasExistingStream(id)
  console.log(`  begun with ${how}, producer killed; then ${next}, three times: ${asked.map(({ outcome }) => outcome).join(', ')}`)
  console.log(`    makeStream was called: ${asked.some(({ made }) => made)}; hasExistingStream: ${exists}; the mark expires in ${seconds} s`)
  console.log(`    whoever followed when it died, 3 s later: ${fate}`)
  const isLost = asked.every(({ outcome, made }) => !made && ['Timeout waiting for ack', 'nothing'].includes(outcome))
  check(`${how} after its producer died`, isLost && exists === true && seconds > 86_000 && fate === 'open')
}

if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: the id of a stream whose producer died stays in progress for a day, and can be neither resumed nor made anew')
process.exit(0)
JS
timeout 60 node finding.js "$port" &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
