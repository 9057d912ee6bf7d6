import type { Exchange } from '../../client/exchange.ts'
import { isObject } from '../../client/json-rpc.ts'
import { TimeLimit } from '../../client/waiting.ts'
import { type Judgement, note, ok, problem } from '../finding.ts'
import type { Wire } from '../wire.ts'

/** Above the 1 MiB that nginx takes by default, and what a call with a file in it easily has. */
const bodyBytes = 1_572_864

/**
 * Whether a body of 1.5 MiB reaches the server. A greeting, because any node takes it: one that does not know the
 * session may refuse before it has read the body, and that looks like a limit.
 */
export async function probeBodySize(wire: Wire): Promise<Judgement> {
  const { greeting } = wire
  const message = greeting.message({ 'probe/filler': 'x'.repeat(bodyBytes) })
  const asked = greeting.method === 'initialize' ? 'An initialize of 1.5 MiB' : `A ${greeting.method} of 1.5 MiB`
  let exchange: Exchange
  try {
    exchange = await wire.greet({}, message)
  } catch (error) {
    if (error instanceof TimeLimit) return problem(`${asked} got no answer: ${error.message}.`)
    // Refused before it was read: the connection is reset while the body is being written.
    return problem(`${asked} got no answer: ${(error as NodeJS.ErrnoException).code ?? String(error)}.`)
  }
  const seen = `${asked} got ${exchange.status}`
  if (exchange.ok) return ok(`${seen}.`)
  const body = await exchange.json(wire.timeoutMs)
  if (isObject(body) && body.jsonrpc === '2.0') {
    return note(
      `${seen} from the server itself: ${JSON.stringify(body.error ?? body).slice(0, 200)}.`,
      'The limit is that of the server. Calls with larger arguments fail.',
    )
  }
  const from = exchange.header('server') ?? 'no Server header'
  return problem(`${seen} with ${exchange.contentType ?? 'no content type'} (${from}), no answer of an MCP server.`)
}
