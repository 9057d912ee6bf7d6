#!/usr/bin/env bash
# Finding: h3 ends the answer of a Node handler when the handler returns, so that event streams come empty.
#
# Packages: h3 2.0.8.
# Expected: `fromNodeHandler` turns a Node.js request listener into a handler of h3. A listener answers through `res`,
#   and when it returns says nothing about the answer: node:http waits for `res.end()`. MCP 2025-11-25 (Transports,
#   Sending Messages to the Server, 5) has a server answer a POST with `text/event-stream`, which outlives the call.
# Instead: of a listener with two parameters h3 ends the response as soon as it returns, or its promise is fulfilled:
#   status 200, right content type, empty body. The same listener declared with a third parameter, `next`, is waited
#   for, and nothing has to call it.
# It means: an MCP endpoint that was right in node:http and Express loses every streamed answer in h3 (and on what
#   builds on it) without an error. A listener declared as `(req, res, _next)`, or that waits for `finish`, loses nothing.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact h3@2.0.8

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { fromNodeHandler, H3, toNodeHandler } from 'h3'

const { version } = JSON.parse(readFileSync('./node_modules/h3/package.json', 'utf8'))
console.log(`node ${process.version}\nh3 ${version}`)

const TYPE = 'text/event-stream'
const EVENTS = ['data: {"step":1}\n\n', 'data: {"step":2}\n\n']
const TEXT = EVENTS.join('')

function stream(response) {
  response.writeHead(200, { 'content-type': TYPE })
  setTimeout(() => response.write(EVENTS[0]), 50)
  setTimeout(() => response.end(EVENTS[1]), 100)
}

async function get(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/mcp`, { signal: AbortSignal.timeout(5_000) })
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const onH3 = (listener) => toNodeHandler(new H3().all('/mcp', fromNodeHandler(listener)))
const returnsNothing = (_, response) => stream(response)
const isAsync = async (_, response) => stream(response)
const withNext = async (_, response, _next) => stream(response)
const waits = async (_, response) => {
  stream(response)
  await once(response, 'finish')
}

const rows = [
  ['node:http, two parameters', returnsNothing, TEXT],
  ['h3, two parameters', onH3(returnsNothing), ''],
  ['h3, two parameters, async', onH3(isAsync), ''],
  ['h3, three parameters, async', onH3(withNext), TEXT],
  ['h3, two parameters, waits for finish', onH3(waits), TEXT],
]
let changed = 0
for (const [name, listener, stated] of rows) {
  const { status, type, body } = await get(listener)
  console.log(`${name}: ${status} ${type} ${JSON.stringify(body)}`)
  if (status === 200 && type === TYPE && body === stated) continue
  changed++
  console.error(`  not as stated: expected 200 with ${JSON.stringify(stated)}`)
}
if (changed > 0) {
  console.error(`CHANGED: ${changed} of ${rows.length} answers are not as this finding states`)
  process.exit(1)
}
console.log('AS STATED: h3 ends an event stream when a listener with two parameters returns')
process.exit(0)
JS
timeout 60 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 60 s' >&2
[ "$status" -eq 0 ] || exit 1
