#!/usr/bin/env bash
# Finding: @mastra/mcp tells a lost session by words in an error's text, so it misses real ones and sees false ones.
#
# Packages: @mastra/mcp 2.0.0, @mastra/core 1.71.0.
# Expected: MCP 2025-11-25, Transports, Session Management, 4: status 404 to a request with a session id is what
#   starts a new session. An error answer to a call (status 200, JSON-RPC `error`) is the call's outcome and no more.
# Instead: it connects anew and repeats the call when the text of the error contains "http 404" (or "http 400" …).
#   A 404 whose JSON-RPC text is "Session not found" has none of those words: the call fails, and so does the next.
#   A tool whose own error says that a service behind it answered "HTTP 404" has them: the healthy session is left,
#   a second one is opened, and the tool runs twice for one call.
# It means: a server that writes the status into the text of its 404 is come back to, one that does not is not; and
#   a tool that changes something must not repeat such words in a JSON-RPC error if it must not run twice.
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
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @mastra/mcp@2.0.0 @mastra/core@1.71.0

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { MCPClient } from '@mastra/mcp'

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version
// The client logs each failure with its stack; what matters of it is printed below.
const say = console.error
console.error = () => {}
console.log(`node ${process.version}`)
for (const name of ['@mastra/mcp', '@mastra/core']) console.log(`${name} ${version(name)}`)

// A sessionful server of one tool. `notFound` is the text of its 404, `failure` the text of the tool's own error.
class Scene {
  sessions = new Set()
  opened = 0
  runs = 0
  constructor({ notFound = 'Session not found', failure }) {
    Object.assign(this, { notFound, failure })
  }
  answer(method, message, sessionId) {
    const result = (value) => ({ status: 200, body: { jsonrpc: '2.0', id: message.id, result: value } })
    const error = (status, id, code, text) => ({ status, body: { jsonrpc: '2.0', id, error: { code, message: text } } })
    if (message?.method === 'server/discover') return error(400, message.id, -32000, 'Unsupported protocol version')
    if (message?.method === 'initialize') {
      this.opened += 1
      const newId = `session-${this.opened}`
      this.sessions.add(newId)
      const serverInfo = { name: 'one-tool', version: '1.0.0' }
      return { ...result({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }), newId }
    }
    if (!this.sessions.has(sessionId)) return error(404, null, -32001, this.notFound)
    if (method === 'GET') return { status: 405 }
    if (message?.id === undefined) return { status: 202 }
    if (message.method === 'tools/list') return result({ tools: [{ name: 'work', inputSchema: { type: 'object' } }] })
    this.runs += 1
    if (this.failure) return error(200, message.id, -32603, this.failure)
    return result({ content: [{ type: 'text', text: 'done' }] })
  }
}

async function open(scene) {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const message = text === '' ? undefined : JSON.parse(text)
    const { status, body, newId } = scene.answer(request.method, message, request.headers['mcp-session-id'])
    console.log(`    wire: ${request.method} ${message?.method ?? ''} [${request.headers['mcp-session-id'] ?? 'no session'}] -> ${status}`)
    const headers = { ...(body && { 'content-type': 'application/json' }), ...(newId && { 'mcp-session-id': newId }) }
    response.writeHead(status, headers)
    response.end(body && JSON.stringify(body))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`)
  const client = new MCPClient({ id: `finding-${url.port}`, servers: { one: { url } } })
  const { one_work: tool } = await client.listTools()
  async function call() {
    try {
      await tool.execute({}, {})
      console.log('    call: answered')
      return true
    } catch (error) {
      console.log(`    call: rejected, ${error.message}`)
      return false
    }
  }
  async function close() {
    await client.disconnect()
    server.closeAllConnections()
    server.close()
  }
  return { call, close }
}

async function afterLoss(notFound) {
  console.log(`  a session is lost, the 404 says ${JSON.stringify(notFound)}`)
  const scene = new Scene({ notFound })
  const { call, close } = await open(scene)
  await call()
  scene.sessions.clear()
  const answered = [await call(), await call()]
  await close()
  return `${answered} / sessions ${scene.opened}`
}

async function afterToolError(failure) {
  console.log(`  the session is well, the tool's own error says ${JSON.stringify(failure)}`)
  const scene = new Scene({ failure })
  const { call, close } = await open(scene)
  await call()
  await close()
  return `runs ${scene.runs} / sessions ${scene.opened}`
}

const rows = [
  [await afterLoss('Session not found'), 'false,false / sessions 1'],
  [await afterLoss('Session not found (HTTP 404)'), 'true,true / sessions 2'],
  [await afterToolError('The service behind has no such page'), 'runs 1 / sessions 1'],
  [await afterToolError('The service behind answered HTTP 404'), 'runs 2 / sessions 2'],
]
const changed = rows.filter(([seen, stated]) => seen !== stated)
for (const [seen, stated] of changed) say(`CHANGED: not as this finding states: seen "${seen}", stated "${stated}"`)
if (changed.length > 0) process.exit(1)
console.log('AS STATED: the words of an error, not its status, decide whether @mastra/mcp connects anew and repeats the call')
process.exit(0)
JS
# Nothing but the loopback: the framework can report its use otherwise.
MASTRA_TELEMETRY_DISABLED=1 timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
