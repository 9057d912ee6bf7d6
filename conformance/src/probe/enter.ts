import type { Exchange } from '../client/exchange.ts'
import { Mismatch } from '../client/expect.ts'
import { HttpClient } from '../client/http.ts'
import type { Message } from '../client/json-rpc.ts'
import { responseIn } from '../client/session.ts'
import { TimeLimit } from '../client/waiting.ts'
import { modernRevision } from '../requirement.ts'
import { type Greeting, legacyGreeting, modernGreeting } from './greeting.ts'
import { toTime } from './wire.ts'

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
  /** The answer to the greeting, when there is one. */
  readonly reached: Reached | undefined
  /** An answer that is none of an MCP server. */
  readonly refused?: Exchange | undefined
  readonly seen: string
}

export interface Reached {
  readonly greeting: Greeting
  readonly exchange: Exchange
  readonly response: Message
}

const mostSteps = 3

/**
 * Sends `initialize`, and follows redirects as few clients do, so that the rest can be looked at too. What does not answer
 * that may be a server of 2026-07-28 alone.
 */
export async function enter(client: HttpClient, timeoutMs: number): Promise<Entry> {
  const entry = await follow({ client, greeting: legacyGreeting, timeoutMs, steps: [] })
  if (entry.reached !== undefined || entry.refused === undefined) return entry
  const modern = await follow({ client: entry.client, greeting: modernGreeting, timeoutMs, steps: entry.steps })
  if (modern.reached !== undefined) return modern
  return { ...entry, seen: `${entry.seen} server/discover of 2026-07-28 was not answered either.` }
}

interface Way {
  readonly client: HttpClient
  readonly greeting: Greeting
  readonly timeoutMs: number
  readonly steps: readonly Step[]
}

async function follow(way: Way): Promise<Entry> {
  const { client, greeting, timeoutMs, steps } = way
  const led = steps.map((step) => `${describeStep(step)}. `).join('')
  const failed = (seen: string, refused?: Exchange): Entry => {
    return { client, steps, reached: undefined, refused, seen: `${led}${seen}` }
  }
  try {
    const message = greeting.message()
    const exchange = await client.send('POST', { body: message, headers: greeting.headers(), headMs: timeoutMs })
    const step = toStep(client.url, exchange)
    if (step !== undefined && steps.length < mostSteps) {
      exchange.abort()
      return await follow({ ...way, client: followTo(client, step.to), steps: [...steps, step] })
    }
    if (isRedirect(exchange)) return failed(describeDeadEnd(client.url, exchange))
    return await read(way, { exchange, message, failed })
  } catch (error) {
    const { message: text, code } = error as NodeJS.ErrnoException
    return failed(error instanceof TimeLimit ? text : `No connection: ${text || code || String(error)}`)
  }
}

interface Sent {
  readonly exchange: Exchange
  readonly message: Message
  readonly failed: (seen: string, refused?: Exchange) => Entry
}

async function read({ client, greeting, timeoutMs, steps }: Way, { exchange, message, failed }: Sent): Promise<Entry> {
  try {
    const response = await responseIn(exchange, message.id, timeoutMs)
    const { result } = response
    if (result === undefined)
      return failed(`${greeting.method} got status ${exchange.status}, ${toText(response)}`, exchange)
    const time = toTime(performance.now() - exchange.startedAt)
    const version = String(result.protocolVersion ?? modernRevision)
    const seen = `${greeting.method} was answered in ${time} (${version}).`
    return { client, steps, reached: { greeting, exchange, response }, seen }
  } catch (error) {
    if (error instanceof Mismatch) return failed(error.message, exchange)
    throw error
  }
}

function isRedirect({ status }: Exchange): boolean {
  return status >= 300 && status <= 399
}

function describeDeadEnd(url: URL, exchange: Exchange): string {
  const location = exchange.header('location')
  return `${url.href} redirects with ${exchange.status} to ${location ?? 'nowhere: there is no Location'}.`
}

export function describeStep({ status, from, to }: Step): string {
  return `${from.href} redirects with ${status} to ${to.href}`
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
