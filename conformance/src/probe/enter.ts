import type { Exchange } from '../client/exchange.ts'
import { Mismatch } from '../client/expect.ts'
import { HttpClient } from '../client/http.ts'
import type { Message } from '../client/json-rpc.ts'
import { postHeaders, responseIn } from '../client/session.ts'
import { TimeLimit } from '../client/waiting.ts'
import { plainInitialize, toTime } from './wire.ts'

/** A redirect of the URL that was given. */
export interface Step {
  readonly status: number
  readonly from: URL
  readonly to: URL
}

/** How the server was reached, or why not. */
export interface Entry {
  /** Of the URL that answered; the caller ends it. */
  readonly client: HttpClient
  readonly steps: readonly Step[]
  /** The answer to `initialize`, when there is one. */
  readonly reached: { readonly exchange: Exchange; readonly response: Message } | undefined
  readonly seen: string
}

const mostSteps = 3

/** Sends `initialize`, and follows redirects as few clients do, so that the rest can be looked at too. */
export async function enter(client: HttpClient, timeoutMs: number, steps: readonly Step[] = []): Promise<Entry> {
  const message = plainInitialize()
  const failed = (seen: string): Entry => ({ client, steps, reached: undefined, seen })
  try {
    const exchange = await client.send('POST', { body: message, headers: postHeaders(), headMs: timeoutMs })
    const step = toStep(client.url, exchange)
    if (step !== undefined && steps.length < mostSteps) {
      exchange.abort()
      return await enter(followTo(client, step.to), timeoutMs, [...steps, step])
    }
    const response = await responseIn(exchange, message.id, timeoutMs)
    if (response.result === undefined) return failed(`initialize got status ${exchange.status}, ${toText(response)}`)
    const time = toTime(performance.now() - exchange.startedAt)
    const version = String(response.result.protocolVersion)
    return { client, steps, reached: { exchange, response }, seen: `initialize was answered in ${time} (${version}).` }
  } catch (error) {
    if (error instanceof Mismatch || error instanceof TimeLimit) return failed(error.message)
    const { message: text, code } = error as NodeJS.ErrnoException
    return failed(`No connection: ${text || code || String(error)}`)
  }
}

/** A token, and what else was given to be sent, is for the origin that it was given for (as in fetch). */
function followTo(client: HttpClient, to: URL): HttpClient {
  return new HttpClient(to, client.transcript, to.origin === client.url.origin ? client.settings : {})
}

export function toStep(from: URL, exchange: Exchange): Step | undefined {
  const { status } = exchange
  const location = exchange.header('location')
  if (status < 300 || status > 399 || location === undefined || !URL.canParse(location, from.href)) return undefined
  const to = new URL(location, from)
  return to.protocol === 'http:' || to.protocol === 'https:' ? { status, from, to } : undefined
}

function toText(response: Message): string {
  return JSON.stringify(response).slice(0, 300)
}
