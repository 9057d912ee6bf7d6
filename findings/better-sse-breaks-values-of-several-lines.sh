#!/usr/bin/env bash
# Finding: with a serializer of one's own better-sse sends the first line of a value as data, and the rest as nothing.
#
# Packages: better-sse 0.16.1, eventsource 4.1.1 as the client, hono 4.13.19 for comparison.
# Expected: WHATWG HTML, 9.2: data of several lines is sent as several `data:` fields, which the client joins again. better-sse
#   takes any `serializer` that makes a string, and a `sanitizer` is there so that line ends in a value do no harm.
# Instead: it writes `data:` once and the value as it is, its line ends included. The client takes what stands after the first
#   one for fields it does not know: `{` alone arrives of a JSON text with indentation. An empty line in the value ends the
#   event there. Nothing is told on either side. hono, given the same text, sends it whole.
# It means: `JSON.stringify`, the default, never makes a line end, so all is well until somebody indents a value to read it in
#   a trace, or sends Markdown as it is. Then each event is cut, and a client that parses JSON fails at each.
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
  better-sse@0.16.1 eventsource@4.1.1 hono@4.13.19 @hono/node-server@2.1.9

cat >finding.js <<'JS'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { createSession } from 'better-sse'
import { EventSource } from 'eventsource'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'

console.log(`node ${process.version}`)
for (const name of ['better-sse', 'eventsource', 'hono']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const indented = (value) => JSON.stringify(value, null, 2)
const asItIs = (value) => value
const progress = { method: 'notifications/progress', params: { progress: 1 } }
const markdown = '# Result\nAll is well.\n\nMore below.'

const withBetterSse = (serializer) => async (value, request, response) => {
  const session = await createSession(request, response, { serializer })
  session.push(value)
  session.push(serializer === indented ? {} : 'end', 'last')
}
function withHono(serializer) {
  return (value, request, response) => {
    const app = new Hono().get('/', (context) =>
      streamSSE(context, async (stream) => {
        await stream.writeSSE({ data: serializer(value) })
        await stream.writeSSE({ event: 'last', data: 'end' })
      }),
    )
    return getRequestListener(app.fetch)(request, response)
  }
}

// All that a client is told before the event `last`.
async function receive(serve, value) {
  const server = createServer((request, response) => void serve(value, request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const source = new EventSource(`http://127.0.0.1:${server.address().port}/`)
  const heard = []
  source.onmessage = ({ data }) => heard.push(data)
  await new Promise((resolve) => source.addEventListener('last', resolve))
  source.close()
  server.closeAllConnections()
  server.close()
  return heard
}

const rows = [
  ['better-sse, its own serializer', withBetterSse(undefined), progress, [JSON.stringify(progress)]],
  ['better-sse, indented JSON', withBetterSse(indented), progress, ['{']],
  ['better-sse, text as it is', withBetterSse(asItIs), markdown, ['# Result']],
  ['hono, indented JSON', withHono(indented), progress, [indented(progress)]],
  ['hono, text as it is', withHono(asItIs), markdown, [markdown]],
]
const changed = []
for (const [name, serve, value, stated] of rows) {
  const heard = await receive(serve, value)
  console.log(`  ${name.padEnd(30)} heard ${JSON.stringify(heard)}`)
  if (JSON.stringify(heard) !== JSON.stringify(stated)) changed.push(name)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: of a value of several lines better-sse delivers the first')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
