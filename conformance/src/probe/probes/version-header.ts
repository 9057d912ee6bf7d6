import { freshPing } from '../../client/probes.ts'
import { type Judgement, ok, problem, untestable } from '../finding.ts'
import { insist, unusable, type Wire } from '../wire.ts'

const noSuchVersion = '1999-01-01'

/** `MCP-Protocol-Version`: one that does not exist must be refused with 400, so that its arrival can be seen. */
export async function probeVersionHeader(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  const session = await wire.open()
  if (session.version < '2025-06-18') return untestable(`The server speaks ${session.version}, without this header.`)
  const headers = { 'MCP-Protocol-Version': noSuchVersion }
  const exchange = await insist(() => session.post(freshPing(), { headers, headMs: wire.timeoutMs }), [404])
  const seen = `A ping with MCP-Protocol-Version: ${noSuchVersion} got ${exchange.status}`
  if (exchange.refused) return ok(`${seen}: the header arrives.`)
  return problem(
    `${seen}, expected 400: the header is lost on the way to the server, or the server does not check it. Probe the server itself to tell which.`,
  )
}
