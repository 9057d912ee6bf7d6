import type { Exchange } from '../../client/exchange.ts'
import { freshPing } from '../../client/probes.ts'
import { type Judgement, ok, problem, untestable } from '../finding.ts'
import { modernGreeting } from '../greeting.ts'
import { insist, unusable, type Wire } from '../wire.ts'

const noSuchVersion = '1999-01-01'

/** `MCP-Protocol-Version`: one that does not exist must be refused with 400, so that its arrival can be seen. */
export async function probeVersionHeader(wire: Wire): Promise<Judgement> {
  if (!wire.isUsable) return unusable(wire)
  if (wire.greeting === modernGreeting) return await lookAtGreeting(wire)
  const session = await wire.open()
  if (session.version < '2025-06-18') return untestable(`The server speaks ${session.version}, without this header.`)
  const headers = { 'MCP-Protocol-Version': noSuchVersion }
  const exchange = await insist(() => session.post(freshPing(), { headers, headMs: wire.timeoutMs }), [404])
  return judge('A ping', exchange)
}

/** Its header and its body must name one version. */
async function lookAtGreeting(wire: Wire): Promise<Judgement> {
  const exchange = await wire.greet({ 'MCP-Protocol-Version': noSuchVersion })
  exchange.abort()
  return judge(wire.greeting.method, exchange)
}

function judge(what: string, exchange: Exchange): Judgement {
  const seen = `${what} with MCP-Protocol-Version: ${noSuchVersion} got ${exchange.status}`
  if (exchange.refused) return ok(`${seen}: the header arrives.`)
  return problem(
    `${seen}, expected 400: the header is lost on the way to the server, or the server does not check it. Probe the server itself to tell which.`,
  )
}
