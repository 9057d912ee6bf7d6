import type { Exchange } from '../../client/exchange.ts'
import { HttpClient } from '../../client/http.ts'
import { type Judgement, problem, untestable } from '../finding.ts'
import type { Greeting } from '../greeting.ts'
import { endSession } from '../wire.ts'

export interface Refusal {
  readonly client: HttpClient
  readonly greeting: Greeting
  readonly exchange: Exchange
  readonly timeoutMs: number
}

/** By 403, as MCP servers do, or by 421, as the RFC of HTTP has it. */
export function mayBeOfTheHost({ status }: Exchange): boolean {
  return status === 403 || status === 421
}

/** Whether a refusal depends on the name that the server was asked for. */
export async function probeHost(refusal: Refusal): Promise<Judgement> {
  const { client, greeting, exchange, timeoutMs } = refusal
  const own = client.host
  const seen = `${greeting.method} with Host: ${own} got ${exchange.status}`
  const tried: string[] = []
  for (const host of loopbackNames(client)) {
    const status = await askAs(host, refusal)
    if ((status >= 200 && status <= 299) || status === 401) {
      return problem(`${seen}, and with Host: ${host} ${status}: the refusal is of the name.`)
    }
    tried.push(`with Host: ${host} ${status}`)
  }
  const text = await exchange.text(timeoutMs).catch(() => '')
  if (/\bhost\b/i.test(text)) return problem(`${seen}, and the answer speaks of the host: ${text.slice(0, 200)}`)
  return untestable(`${seen}, ${tried.join(', ')}: it does not show that it is of the name.`)
}

function loopbackNames({ host, url }: HttpClient): string[] {
  const names = ['localhost', '127.0.0.1'].map((name) => (url.port === '' ? name : `${name}:${url.port}`))
  return names.filter((name) => name !== host)
}

/** Without credentials: who serves that name there, nobody knows. */
async function askAs(host: string, { client, greeting, timeoutMs }: Refusal): Promise<number> {
  const other = new HttpClient(client.url, client.transcript)
  try {
    const headers = greeting.headers({ Host: host })
    const exchange = await other.send('POST', { body: greeting.message(), headers, headMs: timeoutMs })
    exchange.abort()
    await endSession(other, exchange.header('mcp-session-id'), host)
    return exchange.status
  } finally {
    other.close()
  }
}
