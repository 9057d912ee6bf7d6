#!/usr/bin/env bash
# Finding: in a web page the official client calls tools without their Mcp-Param headers, and its own server refuses that.
#
# Packages: @modelcontextprotocol/client 2.4.0, @modelcontextprotocol/server 2.4.0.
# Expected: MCP 2026-07-28, Streamable HTTP, Custom Headers from Tool Parameters: a client mirrors each argument that the
#   tool marks with `x-mcp-header` in `Mcp-Param-NAME`; a server MUST reject a call that has the argument without the header.
# Instead: where there are `window` and `document` the client leaves the headers out, without a word. The call is answered
#   400 with -32020, and not repeated. In Node the same call, of the same tool, works.
# It means: a web app can call no tool that marks an argument, on any server that keeps to the protocol, unless it adds the
#   headers itself: `callTool(params, { headers })` sends them, also from a page.
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
  @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/server@2.4.0 zod@4.6.7

cat >finding.js <<'JS'
import { readFileSync } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const version = (name) => JSON.parse(readFileSync(`node_modules/@modelcontextprotocol/${name}/package.json`, 'utf8')).version
console.log(`node ${process.version}`)
for (const name of ['client', 'server']) console.log(`@modelcontextprotocol/${name} ${version(name)}`)

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'regions', version: '1.0.0' })
  const inputSchema = z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) })
  server.registerTool('work', { inputSchema }, ({ region }) => ({ content: [{ type: 'text', text: region }] }))
  return server
})

/** Connects, and calls the tool once it is listed. */
async function observe(where, options) {
  const sent = []
  const fetch = async (url, init) => {
    const request = new Request(url, init)
    if (request.headers.get('mcp-method') === 'tools/call') sent.push(request.headers.get('mcp-param-region'))
    return handler.fetch(request)
  }
  const client = new Client({ name: 'finding', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(new StreamableHTTPClientTransport(new URL('http://127.0.0.1/mcp'), { fetch }))
  await client.listTools()
  const outcome = await client.callTool({ name: 'work', arguments: { region: 'eu' } }, options).then(
    ({ content }) => content[0].text,
    ({ code }) => `error ${code}`,
  )
  await client.close()
  const seen = `header ${sent.join(', ')}: ${outcome}`
  console.log(`${where}: ${seen}`)
  return seen
}

const inNode = await observe('in Node')
// All that the client looks for.
Object.assign(globalThis, { window: globalThis, document: {} })
const inPage = await observe('in a page')
const withHeader = await observe('in a page that adds the header', { headers: { 'Mcp-Param-Region': 'eu' } })

if (inNode !== 'header eu: eu' || inPage !== 'header : error -32020' || withHeader !== 'header eu: eu') {
  console.error('CHANGED: not as this finding states')
  process.exit(1)
}
console.log('AS STATED: in a page the header is left out, and the call refused')
process.exit(0)
JS
timeout 30 node finding.js &
child=$!
status=0
wait "$child" || status=$?
child=
[ "$status" -ne 124 ] || echo 'CHANGED: the program did not end within 30 s' >&2
[ "$status" -eq 0 ] || exit 1
