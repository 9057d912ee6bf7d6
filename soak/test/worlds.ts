// What the checker is tried on: servers that misbehave, and a world for clients of them.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { mount } from '../../conformance/mounts/index.ts'
import { createEndpoint } from '../../packages/core/src/index.ts'
import { type FaultKind, faultKinds, Ledger } from '../check/ledger.ts'
import type { World } from '../clients/world.ts'
import { type Breakage, Breaker } from '../server/breakage.ts'
import { shortDeadlines } from '../server/commands.ts'
import { SoakServer } from '../server/soak-server.ts'

export function createWorld(url: string, hungAfterMs = 10_000): World {
  let names = 0
  return {
    ...{ url, hungAfterMs, ledger: new Ledger(), deadlines: shortDeadlines, present: new Set() },
    stopped: new AbortController().signal,
    nextName: () => `client-${++names}`,
  }
}

/** The kinds of fault that were found. */
export function toFound({ counts }: Ledger): FaultKind[] {
  return faultKinds.filter((kind) => counts[kind] > 0)
}

/** The soak's server in this process, whose tools misbehave in one way. */
export async function serveBroken(kind: Breakage | undefined): Promise<string> {
  const breaker = new Breaker()
  breaker.kind = kind
  const { retainMs: _ofTheLog, ...deadlines } = shortDeadlines
  const endpoint = createEndpoint({
    server: (context) => new SoakServer(context, { breaker, foreignAnswers: [] }),
    ...deadlines,
  })
  const mounted = await mount('node', endpoint, { parser: false, compression: false, nested: false, port: 0 })
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    await mounted.close()
  })
  return mounted.url
}

interface Posted {
  readonly id?: number
  readonly method?: string
}

/**
 * A server that opens sessions properly, and leaves calls, and everything that is no POST, to whoever wants to be
 * wrong.
 */
export async function serveByHand(
  answerCall: (id: number, response: ServerResponse) => void,
  answerOther: (response: ServerResponse) => void = (response) => response.writeHead(204).end(),
): Promise<string> {
  const server = createServer(async (request, response) => {
    const { id = 0, method } = request.method === 'POST' ? await readPosted(request) : { method: 'none' }
    if (method === 'none') answerOther(response)
    else if (method === 'tools/call') answerCall(id, response)
    else if (method === 'initialize') {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'by-hand' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
    } else response.writeHead(202).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

async function readPosted(request: IncomingMessage): Promise<Posted> {
  return JSON.parse(await text(request)) as Posted
}

/** Opens an event stream, and writes these messages to it. */
export function writeStream(response: ServerResponse, messages: readonly object[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const [i, message] of messages.entries()) {
    response.write(`id: ${i + 1}\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
  }
}
