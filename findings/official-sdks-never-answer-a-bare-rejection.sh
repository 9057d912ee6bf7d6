#!/usr/bin/env bash
# Finding: a prompt, resource or low-level handler that rejects without a reason is never answered by the official SDKs.
#
# Packages: @modelcontextprotocol/sdk 1.32.2, @modelcontextprotocol/server 2.4.0 and @modelcontextprotocol/client 2.4.0.
# Expected: whatever a handler throws, its call is answered: JSON-RPC 2.0 has an answer for every request, both SDKs turn an
#   Error into one, and a tool of McpServer that throws `undefined` is answered with `isError`.
# Instead: `Promise.reject()`, which is what many wrappers of callbacks and AbortSignals without a reason come to, is looked at
#   for its `code` while the answer is made; that throws, `onerror` hears a TypeError, and nothing is sent. The client waits
#   until its own time-out, over every transport.
# It means: reject with an Error, and set `onerror`; a proxy or client that sees no answer cannot tell it from a slow call.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @modelcontextprotocol/sdk@1.32.2 \
  @modelcontextprotocol/server@2.4.0 @modelcontextprotocol/client@2.4.0 zod@4.1.12

cat >finding.js <<'JS'
import { Client as ClientOf2 } from '@modelcontextprotocol/client'
import { Client as ClientOf1 } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport as TransportOf1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer as ServerOf1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { InMemoryTransport as TransportOf2, McpServer as ServerOf2 } from '@modelcontextprotocol/server'

const timeout = 1_500

async function look(name, { Server, Client, Transport }) {
  const server = new Server({ name: 'bare', version: '1.0.0' })
  server.registerPrompt('error', {}, () => Promise.reject(new Error('with a reason')))
  server.registerPrompt('bare', {}, () => Promise.reject())
  server.registerTool('bare', {}, () => Promise.reject())
  server.registerResource('bare', 'test://bare', {}, () => Promise.reject())
  const heard = []
  server.server.onerror = ({ message }) => heard.push(message)
  const [near, far] = Transport.createLinkedPair()
  const client = new Client({ name: 'asks', version: '1.0.0' })
  await Promise.all([server.connect(far), client.connect(near)])
  const outcome = (call) => call.then((result) => (result.isError ? 'isError' : 'a result'), ({ code }) => String(code))
  const seen = {
    'prompt that rejects with an Error': await outcome(client.getPrompt({ name: 'error' }, { timeout })),
    'tool that rejects without a reason': await outcome(client.callTool({ name: 'bare' }, undefined, { timeout })),
    'prompt that rejects without a reason': await outcome(client.getPrompt({ name: 'bare' }, { timeout })),
    'resource that rejects without a reason': await outcome(client.readResource({ uri: 'test://bare' }, { timeout })),
  }
  await client.close()
  return { name, seen, heard }
}

const all = [
  await look('sdk 1.32.2', { Server: ServerOf1, Client: ClientOf1, Transport: TransportOf1 }),
  await look('server and client 2.4.0', { Server: ServerOf2, Client: ClientOf2, Transport: TransportOf2 }),
]
for (const { name, seen, heard } of all) console.log(name, seen, heard)
const timeouts = ['-32001', 'REQUEST_TIMEOUT']
const isAsStated = all.every(({ seen, heard }) => {
  const [error, tool, prompt, resource] = Object.values(seen)
  const isToldOfBoth = heard.filter((message) => message.startsWith('Failed to send response: TypeError')).length === 2
  return error === '-32603' && tool === 'isError' && timeouts.includes(prompt) && timeouts.includes(resource) && isToldOfBoth
})
console.log(isAsStated ? 'AS STATED' : 'CHANGED')
process.exit(isAsStated ? 0 : 1)
JS
node finding.js
