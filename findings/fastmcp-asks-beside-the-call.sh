#!/usr/bin/env bash
# Finding: FastMCP asks a tool's question, and logs, not on the stream of the call but on the standalone one, if there is one.
#
# Packages: fastmcp 4.20.16, for comparison @modelcontextprotocol/sdk 1.32.2 (also the client), zod 4.4.3.
# Expected: MCP 2025-11-25, Sending Messages 6: before its answer a server may send requests and notifications that relate to
#   the call on the stream of its POST; Listening 1: a client MAY open a GET stream. FastMCP sends progress so. Its `elicit` and
#   `log` come from the context of the same call, so they should go the same way.
# Instead: both know nothing of the call, and what relates to no call goes to the GET stream. Where a client opened none, the
#   tool that asks waits for the answer to a question that was sent to nobody, and the client waits for the tool; nothing is
#   logged anywhere. In stateless mode, which has no GET stream, no client gets a log message. With a GET stream all arrives.
#   The SDK that FastMCP is made of sends both with the call.
# It means: it works with every client that listens, until a proxy holds the GET back or its stream is lost: then progress goes
#   on, and questions hang until a time-out. A tool that asks needs a time-out of its own, `elicit(question, { timeout })`.
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
  fastmcp@4.20.16 @modelcontextprotocol/sdk@1.32.2 zod@4.4.3

cat >finding.js <<'JS'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { FastMCP } from 'fastmcp'

const WATCHED_MS = 3_000
console.log(`node ${process.version}`)
for (const name of ['fastmcp', '@modelcontextprotocol/sdk']) {
  console.log(`${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version}`)
}

const STEPS = 3
const question = { message: 'Go on?', requestedSchema: { type: 'object', properties: { yes: { type: 'boolean' } } } }
async function inSteps(report) {
  for (let progress = 1; progress <= STEPS; progress++) {
    await report({ progress, total: STEPS })
    await wait(100)
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}
async function startFastMcp(stateless) {
  // Its own log is no part of what is looked at.
  const logger = Object.fromEntries(['debug', 'error', 'info', 'log', 'warn'].map((level) => [level, () => {}]))
  const server = new FastMCP({ name: 'steps', version: '1.0.0', logger })
  server.addTool({
    name: 'work',
    description: 'works in steps',
    execute: async (_, { log, reportProgress }) => {
      await inSteps(reportProgress)
      log.info('worked')
      await wait(100)
      return 'done'
    },
  })
  server.addTool({ name: 'ask', description: 'asks', execute: async (_, { elicit }) => (await elicit(question)).action })
  const port = await freePort()
  await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1', stateless } })
  return `http://127.0.0.1:${port}/mcp`
}

function buildOfficial() {
  const server = new McpServer({ name: 'steps', version: '1.0.0' }, { capabilities: { logging: {} } })
  const text = (value) => ({ content: [{ type: 'text', text: value }] })
  server.registerTool('work', {}, async ({ _meta, sendNotification }) => {
    const { progressToken } = _meta
    await inSteps((step) => sendNotification({ method: 'notifications/progress', params: { ...step, progressToken } }))
    await sendNotification({ method: 'notifications/message', params: { level: 'info', data: 'worked' } })
    return text('done')
  })
  server.registerTool('ask', {}, async ({ requestId: relatedRequestId }) =>
    text((await server.server.elicitInput(question, { relatedRequestId })).action),
  )
  return server
}
async function startOfficial(stateless) {
  const transports = new Map()
  const server = createServer(async (request, response) => {
    if (stateless && request.method !== 'POST') return response.writeHead(405).end()
    let transport = transports.get(request.headers['mcp-session-id'])
    if (!transport) {
      const sessionIdGenerator = stateless ? undefined : randomUUID
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator,
        onsessioninitialized: (id) => void transports.set(id, transport),
      })
      await buildOfficial().connect(transport)
    }
    await transport.handleRequest(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}/mcp`
}

// What arrives, each with the method of the request whose response it came on. Who does not listen sends no GET.
async function observe(url, { listens, asks }) {
  const came = []
  async function watching(target, init) {
    if (init.method === 'GET' && !listens) return new Response(null, { status: 405 })
    const response = await fetch(target, init)
    if (!response.body) return response
    const watch = new TransformStream({
      transform(part, controller) {
        for (const [, method] of new TextDecoder().decode(part).matchAll(/"method":"([^"]+)"/g)) came.push([method, init.method])
        controller.enqueue(part)
      },
    })
    return new Response(response.body.pipeThrough(watch), response)
  }
  const client = new Client({ name: 'finding', version: '1.0.0' }, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { yes: true } }))
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: watching }))
  await wait(300)
  await client.callTool({ name: 'work', arguments: {} }, undefined, { onprogress() {} })
  const options = { signal: AbortSignal.timeout(WATCHED_MS) }
  const asked = asks
    ? await client.callTool({ name: 'ask', arguments: {} }, undefined, options).then(
        (result) => `, asked: ${result.content[0].text}`,
        () => ', asked: waits',
      )
    : ''
  const by = (name) => came.flatMap(([method, by]) => (method === name ? by : [])).join(' ') || 'none'
  const question = asks ? `, question: ${by('elicitation/create')}` : ''
  return `progress: ${by('notifications/progress')}, log: ${by('notifications/message')}${question}${asked}`
}

const fast = { sessions: await startFastMcp(false), stateless: await startFastMcp(true) }
const official = { sessions: await startOfficial(false), stateless: await startOfficial(true) }
const listener = { listens: true, asks: true }
const other = { listens: false, asks: true }
const withCall = 'progress: POST POST POST, log: POST'
const rows = [
  ['fastmcp, client listens', fast.sessions, listener, 'progress: POST POST POST, log: GET, question: GET, asked: accept'],
  ['fastmcp, client does not', fast.sessions, other, 'progress: POST POST POST, log: none, question: none, asked: waits'],
  ['fastmcp, stateless', fast.stateless, { listens: true }, 'progress: POST POST POST, log: none'],
  ['SDK, client listens', official.sessions, listener, `${withCall}, question: POST, asked: accept`],
  ['SDK, client does not', official.sessions, other, `${withCall}, question: POST, asked: accept`],
  ['SDK, stateless', official.stateless, { listens: true }, withCall],
]
const changed = []
for (const [name, url, client, stated] of rows) {
  const seen = await observe(url, client)
  console.log(`  ${name.padEnd(25)} ${seen}`)
  if (seen !== stated) changed.push(name)
}
if (changed.length > 0) {
  console.error(`CHANGED: not as this finding states: ${changed.join(', ')}`)
  process.exit(1)
}
console.log('AS STATED: questions and log messages of a call go to the GET stream, and to nobody where there is none')
process.exit(0)
JS
timeout 45 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 45 s' >&2
[ "$status" -eq 0 ] || exit 1
