import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'

/** More than any refusal, and than the head of any answer, has. */
const keptBytes = 2_000

const current = new AsyncLocalStorage()

/**
 * Serves one endpoint at `/mcp/CLIENT`, on a free port of loopback, until SIGTERM. `/log/CLIENT` tells what it exchanged
 * with that client, and `/stats` what it holds. The path is what tells clients apart: to the endpoint it means nothing.
 * @param build makes a server object of a session and of what the server's tools can do to the endpoint
 */
export async function serve(build) {
  const logs = new Map()
  const eras = new Map()
  const endpoint = createEndpoint({
    server: (session) => {
      const exchange = current.getStore()
      if (exchange) exchange.era = session.era
      return build(session, { notify: (method) => endpoint.notify({ method }) })
    },
  })
  const handle = toNodeHandler(endpoint)

  const server = createServer((request, response) => {
    const [kind, name] = request.url.slice(1).split('/', 2)
    if (kind === 'log') return answer(response, logs.get(name) ?? [])
    if (kind === 'stats') return answer(response, endpoint.stats())
    // Clients look for the metadata of an authorization server.
    if (kind !== 'mcp') return response.writeHead(404).end()
    const log = logs.get(name) ?? []
    logs.set(name, log)
    const exchange = record(request, response, eras)
    log.push(exchange)
    current.run(exchange, () => handle(request, response)).catch(console.error)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  console.log(`listening http://127.0.0.1:${server.address().port}`)

  process.once('SIGTERM', async () => {
    await endpoint.close({ drainMs: 1_000 })
    server.close()
    server.closeAllConnections()
  })
}

function answer(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** What came and went. The eras of sessions are those that the factory was told when they began. */
function record(request, response, eras) {
  const { method, headers } = request
  const sessionId = headers['mcp-session-id']
  const exchange = { method, version: headers['mcp-protocol-version'], sessionId, body: '', reply: '', left: false }
  // Takes note of the body on its way to whoever reads it: to read it here would take it away from the endpoint.
  const push = request.push.bind(request)
  request.push = (chunk, ...rest) => {
    if (chunk) exchange.body += keep(exchange.body, chunk)
    return push(chunk, ...rest)
  }
  const writeHead = response.writeHead.bind(response)
  response.writeHead = (status, headers = {}) => {
    exchange.status = status
    exchange.type = headers['content-type']
    const opened = headers['mcp-session-id']
    if (opened) eras.set(opened, exchange.era)
    exchange.era ??= eras.get(sessionId)
    return writeHead(status, headers)
  }
  for (const name of ['write', 'end']) {
    const send = response[name].bind(response)
    response[name] = (chunk, ...rest) => {
      if (chunk && typeof chunk !== 'function') exchange.reply += keep(exchange.reply, chunk)
      return send(chunk, ...rest)
    }
  }
  response.on('close', () => {
    exchange.left = !response.writableFinished
  })
  return exchange
}

function keep(kept, chunk) {
  return Buffer.from(chunk)
    .toString()
    .slice(0, keptBytes - kept.length)
}
