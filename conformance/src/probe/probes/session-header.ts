import { randomUUID } from 'node:crypto'
import { freshPing } from '../../client/probes.ts'
import { postHeaders } from '../../client/session.ts'
import { type Judgement, ok, problem, untestable } from '../finding.ts'
import { insist, type Wire } from '../wire.ts'

/** `Mcp-Session-Id` in the answer to `initialize`. */
export async function probeSessionIdToClient(wire: Wire): Promise<Judgement> {
  if (wire.state === 'stateless') {
    return untestable('The server gives no session id and serves requests without one.')
  }
  if (wire.state !== 'lost-to-client') return ok('The answer to initialize carries Mcp-Session-Id.')
  const { status } = await pingWithId(wire, undefined)
  return problem(
    `The answer to initialize carries no Mcp-Session-Id, and a ping without one is refused with ${status}: the header is lost on the way to the client.`,
  )
}

/** `Mcp-Session-Id` in requests: right, missing and made up, each has its answer. */
export async function probeSessionIdToServer(wire: Wire): Promise<Judgement> {
  if (wire.state === 'stateless') return untestable('The server gives no session ids.')
  if (wire.state === 'lost-to-client') return untestable('There is no session id to send: none reached the client.')
  const session = await wire.open()
  const right = await insist(() => pingWithId(wire, session.id))
  const missing = await pingWithId(wire, undefined)
  const unknown = await pingWithId(wire, randomUUID())
  const seen = `A ping got ${right.status} with its session id, ${missing.status} without one and ${unknown.status} with one that was never given.`
  if (right.ok && (missing.refused || unknown.refused)) return ok(seen)
  if (right.ok)
    return untestable(`${seen} The server does not look at it, so that it cannot be seen whether it arrives.`)
  return problem(
    right.status === missing.status
      ? `${seen} The server answers as if there were none: the header is lost on the way to the server.`
      : `${seen} The server does not know the id that it gave: it is changed on the way, or no request reaches the node that knows it.`,
  )
}

function pingWithId(wire: Wire, id: string | undefined) {
  const headers = postHeaders({ 'Mcp-Session-Id': id, 'MCP-Protocol-Version': '2025-11-25' })
  return wire.client.send('POST', { body: freshPing(), headers, headMs: wire.timeoutMs })
}
