import { freshPing } from '../../client/probes.ts'
import type { Session } from '../../client/session.ts'
import { type Judgement, note, ok, problem, untestable } from '../finding.ts'
import { cookieNames } from '../hops.ts'
import { plural, unusable, type Wire } from '../wire.ts'

const sessionCount = 3
const onNewConnections = 4
const onOneConnection = 2

/** Whether every request of a session reaches a node that knows it, on new connections and on a kept one. */
export async function probeAffinity(wire: Wire): Promise<Judgement> {
  if (wire.state === 'stateless') return untestable('The server gives no session ids: any node can take any request.')
  if (!wire.isUsable) return unusable(wire)
  const statuses: number[] = []
  for (let index = 0; index < sessionCount; index++) {
    statuses.push(...(await pingRepeatedly(wire, await wire.open())))
  }
  const cookies = cookieNames(wire.first)
  return judgeAffinity(statuses, cookies)
}

function judgeAffinity(statuses: readonly number[], cookies: readonly string[]): Judgement {
  const refused = statuses.filter((status) => status < 200 || status > 299)
  const lost = statuses.filter((status) => status === 404 || status === 400)
  const cookie =
    cookies.length === 0
      ? ''
      : ` The answer to initialize sets ${cookies.join(', ')}; this probe sent no cookie, as several MCP clients do.`
  const asked = `${plural(statuses.length, 'ping')} in ${sessionCount} sessions, on new connections and on a kept one`
  if (refused.length === 0) return ok(`${asked}: all were answered. Seen from this one address.${cookie}`)
  const seen = `${asked}: ${refused.length} were refused (${tally(refused)}).${cookie}`
  if (lost.length > 0) return problem(seen)
  return note(seen, 'Not the sign of a session that is not known, but of a server or hop that refuses work.')
}

async function pingRepeatedly(wire: Wire, session: Session): Promise<number[]> {
  const statuses: number[] = []
  const agent = wire.client.keepAlive()
  const agents = [...Array<undefined>(onNewConnections), ...Array<typeof agent>(onOneConnection).fill(agent)]
  for (const used of agents) {
    const options = { headMs: wire.timeoutMs, ...(used === undefined ? {} : { agent: used }) }
    const exchange = await session.post(freshPing(), options)
    // The next request on the kept connection waits for the end of this answer.
    await exchange.bytes(wire.timeoutMs)
    statuses.push(exchange.status)
  }
  return statuses
}

/** `404 × 3, 503 × 1` */
function tally(statuses: readonly number[]): string {
  const counts = new Map<number, number>()
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts].map(([status, count]) => `${status} × ${count}`).join(', ')
}
